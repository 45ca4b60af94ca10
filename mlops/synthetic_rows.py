"""Draws rows like a sample's, each column by itself, so that a row is in the sample only by chance.

Numbers and times lie between those of two rows, from the 5th to the 95th percentile. Texts, words
and codes are those that at least ``baseline.MIN_ROWS_PER_VALUE`` rows have; a placeholder replaces
others. Categories, and values where the model takes no others, are the contract's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from azureml_scoring.inputs.batch import InputRow
from azureml_scoring.inputs.feature import BOOLEAN, CATEGORY, DATETIME, Feature
from azureml_scoring.models.baseline import MAX_LEVELS, MIN_ROWS_PER_VALUE

Draw = Callable[[np.ndarray, np.random.Generator], Sequence[Any]]
"""Takes ranks within (0, 1) and a random generator, and returns a value for each rank."""

LOW_QUANTILE, HIGH_QUANTILE = 0.05, 0.95
"""Quantiles to draw between: beyond them lie few rows, and the extremes are somebody's data."""

MIN_CODES_SHARE = 0.9
"""A few frequent numbers count as codes if this share of the rows has them: a number between two
codes may mean nothing."""

DAY_NS = 86_400 * 10**9
MAX_DECIMALS = 6
MAX_WORDS = 50
"""Frequent words of which texts are made."""

PLACEHOLDERS = ("text", "")
ROUNDS = 10
"""Tries of each way to draw rows."""


class SyntheticRows:
    """Draws rows.

    columns: the sample's columns, with values as in a request.
    kept: by column, values that the model file keeps, such as an encoder's categories.
    """

    def __init__(
        self,
        features: Sequence[Feature],
        columns: Sequence[Sequence[Any]],
        kept: Sequence[Sequence[Any]],
    ) -> None:
        present = [[value for value in column if value is not None] for column in columns]
        self._gaps = [
            feature.missing * (1 - len(values) / len(column))
            for feature, values, column in zip(features, present, columns, strict=True)
        ]
        self._ways = [
            list(_ways(feature, values)) for feature, values in zip(features, present, strict=True)
        ]
        self._kept = {place: _one_of(values) for place, values in enumerate(kept) if values}

    @property
    def ways(self) -> int:
        """How many ways there are to draw a row, the best first. Only the last uses values that
        the model keeps."""
        return max(map(len, self._ways)) + bool(self._kept)

    @property
    def kept(self) -> list[int]:
        """Places of the columns whose values the last way takes from the model."""
        return list(self._kept)

    def drawn(self, way: int, count: int) -> Iterator[list[InputRow]]:
        """Yield ``count`` rows, ROUNDS times, the same at each call.

        Ranks are spread evenly, so every part of a column's range gets a row.
        """
        for seed in range(ROUNDS):
            rng = np.random.default_rng(seed)
            columns = [self._column(place, way, count, rng) for place in range(len(self._ways))]
            yield [list(row) for row in zip(*columns, strict=True)]

    def _column(self, place: int, way: int, count: int, rng: np.random.Generator) -> list[Any]:
        ranks = (rng.permutation(count) + rng.random(count)) / count
        values = self._draw(place, way)(ranks, rng)
        missing = rng.random(count) < self._gaps[place]
        missing[place % count] = self._gaps[place] > 0  # one row at least
        return [None if lacks else value for value, lacks in zip(values, missing, strict=True)]

    def _draw(self, place: int, way: int) -> Draw:
        ways = self._ways[place]
        if way == self.ways - 1 and place in self._kept:
            return self._kept[place]
        return ways[min(way, len(ways) - 1)]


def shared(values: Sequence[Hashable], most: int = MAX_LEVELS) -> list[Any]:
    """Return the ``most`` frequent values that at least MIN_ROWS_PER_VALUE rows have."""
    return [
        value for value, count in Counter(values).most_common(most) if count >= MIN_ROWS_PER_VALUE
    ]


def _ways(feature: Feature, values: Sequence[Any]) -> Iterator[Draw]:
    """Yield the ways to draw a column, the best first. ``values``: those that are not missing."""
    if feature.categories or feature.dtype in (BOOLEAN, CATEGORY):
        yield _one_of(feature.categories or (False, True))
    elif feature.dtype == DATETIME and values:
        yield _times(np.array(values, dtype="datetime64[ns]").astype(np.int64))
    elif values and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    ):
        yield _numbers(values)
    else:
        if common := shared(values):
            yield _one_of(common)
        if words := shared(
            [word for value in values for word in dict.fromkeys(re.findall(r"\w+", str(value)))],
            MAX_WORDS,
        ):
            yield _texts(words)
        yield _one_of([0] if feature.numeric else PLACEHOLDERS)


def _one_of(choices: Sequence[Any]) -> Draw:
    return lambda ranks, rng: [choices[int(rank * len(choices))] for rank in ranks]


def _numbers(values: Sequence[Any]) -> Draw:
    common = shared(values)
    have_them = sum(value in common for value in values)
    if len(set(values)) <= MAX_LEVELS and have_them >= MIN_CODES_SHARE * len(values):
        return _one_of(common)
    numbers = np.array(values, dtype=float)
    decimals = _decimals(numbers)
    whole = all(isinstance(value, int) for value in values)
    return _between(
        numbers, lambda number: int(number.round()) if whole else float(number.round(decimals))
    )


def _between(numbers: np.ndarray, made: Callable[[np.float64], Any]) -> Draw:
    low, high = numbers.min(), numbers.max()
    if low == high and len(numbers) < MIN_ROWS_PER_VALUE:  # somebody's own
        numbers = np.array([low - max(abs(low) / 10, 1), high + max(abs(high) / 10, 1)])
    return lambda ranks, rng: [
        made(number)
        for number in np.quantile(numbers, LOW_QUANTILE + (HIGH_QUANTILE - LOW_QUANTILE) * ranks)
    ]


def _times(nanoseconds: np.ndarray) -> Draw:
    """Draw times as pandas writes them; days where the column has nothing else."""
    unit = "s" if (nanoseconds % DAY_NS).any() else "D"
    return _between(nanoseconds, lambda number: pd.Timestamp(int(number)).floor(unit).isoformat())


def _texts(words: Sequence[str]) -> Draw:
    """Draw a few words that many texts have, in any order."""
    return lambda ranks, rng: [
        " ".join(rng.choice(words, 1 + int(rank * min(len(words), 8)))) for rank in ranks
    ]


def _decimals(numbers: np.ndarray) -> int:
    """Return how many decimals a column has; for long ones, enough for a millionth of its range."""
    exact = (
        places
        for places in range(MAX_DECIMALS + 1)
        if np.array_equal(numbers.round(places), numbers)
    )
    span = np.ptp(numbers) or abs(numbers[0]) or 1.0
    return next(exact, max(0, MAX_DECIMALS - int(np.floor(np.log10(span)))))
