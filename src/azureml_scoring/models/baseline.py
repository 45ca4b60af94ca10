"""How far the data of a model has moved from what it was trained on: the population stability index
of each feature.

PSI = Σ (a - e) ln(a / e) over the bins of a feature, ``e`` being a bin's share of the training data
and ``a`` its share now. Below 0.1 is taken for stable, above 0.25 for drifted (Siddiqi, Credit Risk
Scorecards, 2006).
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from pydantic import FiniteFloat, NonNegativeInt

MAX_BINS = 10
"""Of a feature, at most, beside the one for what is missing."""

MIN_BIN_SHARE = 0.01
"""Share of the rows that a value has which is a bin of its own."""

MIN_ROWS_PER_VALUE = 5
"""Rows that must have a value before a manifest keeps it: then it identifies nobody."""

WATCH_PSI, DRIFTED_PSI = 0.1, 0.25

MIN_BASELINE_ROWS = 200
"""Rows: of fewer, chance alone puts a baseline's bins so far off that everything seems to have
moved."""

MIN_JUDGED_ROWS = 500
"""Rows: chance alone makes some 0.04 of fewer."""


@dataclass(frozen=True)
class Baseline:
    """One feature in the training data.

    ``bounds``: of numbers, the upper ends of all bins but the last; ``values``: of anything else
    the most frequent, each a bin, and one more for all others; None for numbers. ``counts``: rows
    by bin, then those where it is missing.
    """

    name: str
    bounds: tuple[FiniteFloat, ...]
    values: tuple[str, ...] | None
    counts: tuple[NonNegativeInt, ...]

    @classmethod
    def of(cls, name: str, column: Sequence[Any], *, numeric: bool) -> Baseline:
        bounds, values = (_bounds(column), None) if numeric else ((), _frequent(column))
        empty = cls(name, bounds, values, ())
        return cls(name, bounds, values, tuple(empty.count(column).tolist()))

    @property
    def consistent(self) -> bool:
        """Its parts fit each other, as those of a damaged one may not."""
        ends = self.bounds if self.values is None else self.values
        ordered = all(low < high for low, high in itertools.pairwise(self.bounds))
        return ordered and len(self.counts) == len(ends) + 2 and max(self.counts) < 2**53

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def bins(self) -> int:
        return len(self.counts)

    def count(self, column: Sequence[Any]) -> np.ndarray:
        """Rows by bin, as ``counts``."""
        if self.values is None:
            numbers = np.asarray(column, dtype=float)
            known = numbers[~np.isnan(numbers)]
            inside = np.bincount(
                np.searchsorted(self.bounds, known, side="left"), minlength=len(self.bounds) + 1
            )
            return np.array([*inside, len(numbers) - len(known)])
        place = {value: index for index, value in enumerate(self.values)}
        other = len(self.values)
        found = [other + 1 if _missing(value) else place.get(str(value), other) for value in column]
        return np.bincount(found, minlength=other + 2)

    def psi(self, now: np.ndarray) -> float:
        """The PSI of ``now``, rows by bin. An empty bin counts as half a row: a share of nothing
        has no logarithm."""
        then = np.array(self.counts)
        used = (then + now) > 0
        expected, actual = (np.maximum(counts[used], 0.5) for counts in (then, now))
        expected, actual = expected / expected.sum(), actual / actual.sum()
        return float(np.sum((actual - expected) * np.log(actual / expected)))


def _bounds(column: Sequence[Any]) -> tuple[float, ...]:
    """Return deciles, each between two rows, since a row's value is somebody's; of few values, all
    mid-points."""
    numbers = np.asarray(column, dtype=float)
    ordered = np.sort(numbers[~np.isnan(numbers)])
    distinct = np.unique(ordered)
    ends = np.arange(1, MAX_BINS) * len(ordered) // MAX_BINS
    below, above = (
        (distinct[:-1], distinct[1:])
        if len(distinct) <= MAX_BINS
        else (ordered[ends - 1], ordered[ends])
    )
    return tuple(np.unique(below / 2 + above / 2).tolist())  # the sum may be beyond a float


def _frequent(column: Sequence[Any]) -> tuple[str, ...]:
    """None of a free text, where each value is there once."""
    counts = Counter(str(value) for value in column if not _missing(value))
    most = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:MAX_BINS]
    return tuple(
        value
        for value, count in most
        if count >= MIN_ROWS_PER_VALUE and count > counts.total() * MIN_BIN_SHARE
    )


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
