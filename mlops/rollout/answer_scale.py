"""Tells whether two answers to a row are alike: texts and labels if they are equal, numbers if they
are close on the scale of what the old deployment answers."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import special

MAX_DEVIATIONS = 0.1
"""Numbers are alike that differ by at most this many standard deviations."""

HALF_WINDOW = 0.5
"""The spread around a number is measured over so many standard deviations to either side."""

RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 1e-5, 1e-9
"""Processors and float32 differ in an answer's last digits, however little answers spread."""


class AnswerScale:
    """The scale of a deployment's ``answers``, one for each row."""

    def __init__(self, answers: Sequence[Any]) -> None:
        numbers = defaultdict[tuple[Any, ...], list[float]](list)
        for answer in answers:
            for path, value in _leaves(answer):
                if isinstance(value, float):
                    numbers[path].append(value)
        self._spreads = {path: Spread(values) for path, values in numbers.items()}

    def alike(self, one: Any, other: Any) -> bool:
        """Return whether an answer is like ``other``, one of those that the scale is of."""
        mine, theirs = dict(_leaves(one)), dict(_leaves(other))
        return mine.keys() == theirs.keys() and all(
            self._close(path, mine[path], value) for path, value in theirs.items()
        )

    def _close(self, path: tuple[Any, ...], one: Any, other: Any) -> bool:
        if not isinstance(other, float) or type(one) not in (int, float):
            return type(one) is type(other) and bool(one == other)
        tolerance = MAX_DEVIATIONS * self._spreads[path].around(other)
        return abs(one - other) <= tolerance or math.isclose(
            one, other, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE
        )


class Spread:
    """How widely numbers spread around a value, in the unit of a standard deviation.

    It is the slope of their quantiles against those of the normal distribution. Normal numbers have
    the same everywhere; of skewed ones, the few large do not hide that the many small differ.
    """

    def __init__(self, numbers: Sequence[float]) -> None:
        self._values, counts = np.unique(numbers, return_counts=True)
        middles = (np.cumsum(counts) - counts / 2) / len(numbers)
        self._scores = special.ndtri(middles)

    def around(self, value: float) -> float:
        score = float(np.interp(value, self._values, self._scores))
        low = max(score - HALF_WINDOW, self._scores[0])
        high = min(score + HALF_WINDOW, self._scores[-1])
        if low >= high:  # one value alone
            return 0.0
        ends = np.interp([low, high], self._scores, self._values)
        return float((ends[1] - ends[0]) / (high - low))


def _leaves(answer: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield the single values of an answer, which may hold several, with their places."""
    if isinstance(answer, Mapping | list):
        yield path, type(answer)
        parts = answer.items() if isinstance(answer, Mapping) else enumerate(answer)
        for key, part in parts:
            yield from _leaves(part, (*path, key))
    else:
        yield path, answer
