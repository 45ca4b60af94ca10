"""The distribution of a column at packaging: rows by bin.

The bins do not depend on chance: which values get a bin of their own, and where bins of numbers
end, must not be what makes later data look different.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from types import NoneType
from typing import Any
from zlib import crc32

import numpy as np
from pydantic import FiniteFloat, NonNegativeInt

from azureml_scoring.inputs.moment import moment

QUANTILE_BINS = 8
"""Bins of a column without frequent values. More would cost power: each is one more thing that
chance moves."""

OWN_BIN_SHARE = 0.1
"""A value that more than this share of the rows holds has a bin of its own."""

MAX_LEVELS = 10
"""A column of numbers with so few different values has a bin for each."""

MIN_ROWS_PER_VALUE = 5
"""A manifest keeps a value only if this many rows share it, so that it identifies nobody."""

MAX_RARE_SHARE, CLEAR_OF_CHANCE_ROWS, MAX_KNOWN = 0.03, 10, 1000
"""A text column's values are all known if at most this share of the rows holds a value that fewer
than so many rows hold, and there are at most so many values."""

PLAIN_COLUMNS: tuple[set[type], ...] = ({str}, {int}, {bool})
"""Types of columns whose equal values have one text. Among others 1, 1.0 and True are equal."""

MIN_BASELINE_ROWS, SURE_BASELINE_ROWS = 200, 1000
"""With fewer rows there is no baseline; with fewer than the second only large drift can be told
from chance."""


@dataclass(frozen=True)
class Baseline:
    """The distribution of one column.

    bounds: for numbers, the upper ends of all bins but the last.
    values: for anything else, the frequent values, each a bin. None for numbers.
    counts: rows per bin; the last entry counts missing values. Those before it are the numbers'
        bins, or the frequent values, the groups, and values that were not there.
    groups: bins over which all other values are spread by a checksum of theirs.
    known: the other values, if all are known. Without groups those of ``values`` are all.
    """

    name: str
    bounds: tuple[FiniteFloat, ...]
    values: tuple[str, ...] | None
    counts: tuple[NonNegativeInt, ...]
    groups: int = 0
    known: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, column: Sequence[Any], *, numeric: bool) -> Baseline:
        empty = cls(name, _bounds(column), None, ()) if numeric else _of_texts(name, column)
        counts = tuple(empty.count(column).astype(int).tolist())
        return cls(name, empty.bounds, empty.values, counts, empty.groups, empty.known)

    @property
    def consistent(self) -> bool:
        """True if the parts fit each other; a damaged manifest's may not."""
        ordered = all(low < high for low, high in itertools.pairwise(self.bounds))
        fits = ordered and 0 <= self.groups <= QUANTILE_BINS and len(self.counts) == self.bins
        return fits and max(self.counts) < 2**53

    def to_json(self) -> dict[str, Any]:
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }

    @property
    def bins(self) -> int:
        ends = self.bounds if self.values is None else self.values
        return len(ends) + self.groups + 2

    def places(self, column: Sequence[Any]) -> np.ndarray:
        """Return the bin of each row."""
        if self.values is None:
            numbers = np.asarray(column, dtype=float)
            inside = np.searchsorted(self.bounds, numbers, side="left")
            return np.where(np.isnan(numbers), self.bins - 1, inside)
        unseen = self.bins - 2
        bin_of = dict(self._bin_of)

        def place(value: Any) -> int:
            if _missing(value):
                return unseen + 1
            text = str(value)
            if text not in bin_of:
                bin_of[text] = unseen if self.closed else self._group_of(text)
            return bin_of[text]

        plain = {*map(type, column)} - {NoneType} in PLAIN_COLUMNS
        find = {value: place(value) for value in {*column}}.__getitem__ if plain else place
        return np.fromiter(map(find, column), np.int64, len(column))

    @property
    def closed(self) -> bool:
        """True if all values of the sample are known, so that another is a new one."""
        return not self.groups or bool(self.known)

    @functools.cached_property
    def _bin_of(self) -> dict[str, int]:
        return {value: index for index, value in enumerate(self.values or ())} | {
            value: self._group_of(value) for value in self.known
        }

    def _group_of(self, text: str) -> int:
        return len(self.values or ()) + crc32(text.encode(errors="replace")) % self.groups

    def count(self, column: Sequence[Any], weights: np.ndarray | None = None) -> np.ndarray:
        """Count a column's rows per bin, like ``counts``; each by its weight."""
        return np.bincount(self.places(column), weights, minlength=self.bins)


def _bounds(column: Sequence[Any]) -> tuple[float, ...]:
    """Return the ends of the bins: one for each frequent value, equal shares of the other rows, and
    one beyond either end, where the sample has nothing.

    A bound lies between two rows, or at a value that many hold: a row's own value is somebody's
    data.
    """
    numbers = np.asarray(column, dtype=float)
    present = numbers[~np.isnan(numbers)]
    distinct, rows = np.unique(present, return_counts=True)
    if not len(distinct) or _counts_up(present):
        return ()
    few = len(distinct) <= MAX_LEVELS and rows.min() >= MIN_ROWS_PER_VALUE
    frequent = distinct if few else distinct[rows > OWN_BIN_SHARE * len(present)]
    ends = [end for value in frequent for end in (np.nextafter(value, -np.inf), value)]
    rest = np.sort(present[~np.isin(present, frequent)])
    if len(rest):
        bins = max(1, round(QUANTILE_BINS * len(rest) / len(present)))
        for place in np.arange(1, bins) * len(rest) // bins:
            below = rest[place - 1]
            if len(above := rest[rest > below]):
                ends.append(below / 2 + above[0] / 2)  # below + above may overflow
        centre = float(np.median(present))
        ends += [centre - _beyond(centre - rest[0]), centre + _beyond(rest[-1] - centre)]
    return tuple(np.unique([end for end in ends if np.isfinite(end)]).tolist())


def _beyond(reach: float) -> float:
    """Return a power of two above ``reach``: a value beyond it is none that chance brings, and the
    farthest row is not told."""
    if reach <= 0:
        return 0.0
    return math.ldexp(1.0, math.frexp(reach)[1]) if reach < 2.0**1022 else math.inf


def _counts_up(present: np.ndarray) -> bool:
    """True for whole numbers that rise from row to row, such as ids: later ones are always new."""
    whole = np.array_equal(np.rint(present), present)
    return bool(whole and len(present) > MAX_LEVELS and (np.diff(present) > 0).all())


def _of_texts(name: str, column: Sequence[Any]) -> Baseline:
    """Return the bins of texts, booleans, categories and dates, without counts."""
    counts = Counter(str(value) for value in column if not _missing(value))
    rows = counts.total()
    shared = sorted(value for value, count in counts.items() if count >= MIN_ROWS_PER_VALUE)
    values = tuple(value for value in shared if counts[value] > OWN_BIN_SHARE * rows)
    others = [value for value in shared if value not in values]
    grouped = sum(counts[value] for value in others)
    rare = sum(count for count in counts.values() if count < CLEAR_OF_CHANCE_ROWS)
    if counts and all(moment(value) for value in counts):  # tomorrow's dates are all new
        return Baseline(name, (), values, (), groups=1)
    if rare <= MAX_RARE_SHARE * rows and len(others) <= MAX_KNOWN:
        groups = min(len(others), max(1, round(QUANTILE_BINS * grouped / max(rows, 1))))
        return Baseline(name, (), values, (), groups, tuple(others))
    groups = max(1, round(QUANTILE_BINS * grouped / rows))
    return Baseline(name, (), values, (), groups)


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
