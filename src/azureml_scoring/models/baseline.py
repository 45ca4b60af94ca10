"""Measures drift by feature: the population stability index of new data against the training data.

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
"""Bins of a feature, without the one for missing values."""

MIN_BIN_SHARE = 0.01
"""A text value gets a bin of its own if more than this share of the rows has it."""

MIN_ROWS_PER_VALUE = 5
"""A manifest keeps a value only if this many rows share it, so that it identifies nobody."""

WATCH_PSI, DRIFTED_PSI = 0.1, 0.25

MIN_BASELINE_ROWS = 200
"""With fewer training rows, chance puts the bins so far off that every feature seems to drift."""

MIN_JUDGED_ROWS = 500
"""New rows needed for a verdict: with fewer, chance alone gives a PSI of about 0.04."""


@dataclass(frozen=True)
class Baseline:
    """The distribution of one feature in the training data.

    bounds: for numbers, the upper ends of all bins but the last.
    values: for anything else, the most frequent values, each a bin; one more bin holds all
        others. None for numbers.
    counts: rows per bin; the last entry counts missing values.
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
        """True if the parts fit each other; a damaged manifest's may not."""
        ends = self.bounds if self.values is None else self.values
        ordered = all(low < high for low, high in itertools.pairwise(self.bounds))
        return ordered and len(self.counts) == len(ends) + 2 and max(self.counts) < 2**53

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def bins(self) -> int:
        return len(self.counts)

    def count(self, column: Sequence[Any]) -> np.ndarray:
        """Count a column's rows per bin, like ``counts``."""
        if self.values is None:
            numbers = np.asarray(column, dtype=float)
            known = numbers[~np.isnan(numbers)]
            inside = np.bincount(
                np.searchsorted(self.bounds, known, side="left"), minlength=len(self.bounds) + 1
            )
            return np.array([*inside, len(numbers) - len(known)])
        place = {value: index for index, value in enumerate(self.values)}
        other = len(self.values)
        bins = [other + 1 if _missing(value) else place.get(str(value), other) for value in column]
        return np.bincount(bins, minlength=other + 2)

    def psi(self, now: np.ndarray) -> float:
        """Return the PSI of ``now``, rows per bin.

        An empty bin counts as half a row, because a share of zero has no logarithm.
        """
        then = np.array(self.counts)
        used = (then + now) > 0
        expected, actual = (np.maximum(counts[used], 0.5) for counts in (then, now))
        expected, actual = expected / expected.sum(), actual / actual.sum()
        return float(np.sum((actual - expected) * np.log(actual / expected)))


def _bounds(column: Sequence[Any]) -> tuple[float, ...]:
    """Return the deciles, or all mid-points if there are few distinct values.

    A bound lies between two rows: a row's own value is somebody's data.
    """
    numbers = np.asarray(column, dtype=float)
    ordered = np.sort(numbers[~np.isnan(numbers)])
    distinct = np.unique(ordered)
    ends = np.arange(1, MAX_BINS) * len(ordered) // MAX_BINS
    below, above = (
        (distinct[:-1], distinct[1:])
        if len(distinct) <= MAX_BINS
        else (ordered[ends - 1], ordered[ends])
    )
    return tuple(np.unique(below / 2 + above / 2).tolist())  # below + above may overflow


def _frequent(column: Sequence[Any]) -> tuple[str, ...]:
    """Return the most frequent values; free text, where every value differs, has none."""
    counts = Counter(str(value) for value in column if not _missing(value))
    most = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:MAX_BINS]
    return tuple(
        value
        for value, count in most
        if count >= MIN_ROWS_PER_VALUE and count > counts.total() * MIN_BIN_SHARE
    )


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
