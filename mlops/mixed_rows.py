"""Generates the rows that prove a model of mixed columns: numbers as for any model, combined with
values that the other columns may have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from azureml_scoring.inputs.contract import Contract
from azureml_scoring.models.engines.column_tables import is_missing
from mlops.float_pipeline import FloatPipeline
from mlops.proof_rows import (
    MAX_ROWS_PER_SET,
    RowSet,
    as_accepted,
    huge_rows,
    row_sets,
)

RARE = 0.1
"""How often a value is one that the fit did not have."""


class MixedRows:
    """Rows of objects, with all of the contract's columns. A set is the same each time: the
    estimator's answers to it are kept by its name."""

    def __init__(self, sample: np.ndarray, contract: Contract, pipeline: FloatPipeline) -> None:
        self._sample = sample
        self._contract = contract
        self._unchanged = pipeline.unchanged
        self._finite = {column.place: column for column in pipeline.columns}
        self._numeric = [j for j, f in enumerate(contract.features) if f.numeric]
        self._numbers = sample[:, self._numeric].astype(np.float64)

    @property
    def largest(self) -> float:
        """The sample's largest number, either side of zero."""
        return float(np.nanmax(np.abs(self._numbers), initial=1.0))

    def sets(self, splits: Iterable[tuple[int, float]]) -> Iterator[RowSet]:
        """Yield sets of rows. ``splits``: features and thresholds of trees, after the encoders."""
        self._rng = np.random.default_rng(0)
        yield "of the sample as it is", self._sample[~_gaps(self._sample).any(axis=1)]
        if self._numeric:
            for name, numbers in row_sets(self._numbers, self._input_splits(splits)):
                yield name, self._rows(numbers)
        yield "with known values, recombined", self._rows(self._drawn_numbers())
        yield "with each known value", self._each(lambda column: column.known)
        yield "with values that the fit did not have", self._each(lambda column: column.others, 20)
        yield "with values of all kinds", self._rows(self._drawn_numbers(), rare=0.5)
        if any(feature.missing for feature in self._contract.features):
            yield self.with_gaps()

    def huge(self, largest: float) -> RowSet:
        """Return rows with numbers up to ``largest``."""
        if not self._numeric:
            return f"with numbers up to {largest:.1e}", self._sample[:0]
        self._rng = np.random.default_rng(0)
        name, numbers = huge_rows(self._numbers, largest)
        return name, self._rows(numbers)

    def with_gaps(self) -> RowSet:
        """Return rows with gaps where the contract takes them: half of them with one gap."""
        places = [j for j, feature in enumerate(self._contract.features) if feature.missing]
        self._rng = np.random.default_rng(0)
        rows = self._rows(self._drawn_numbers())
        count = len(rows)
        gap = np.zeros(rows.shape, dtype=bool)
        gap[:, places] = self._rng.random((count, len(places))) < self._rng.random((count, 1))
        gap[::2] = False
        gap[np.arange(count), self._rng.choice(places, count)] = True
        for place in places:
            rows[gap[:, place], place] = np.nan if place in self._numeric else None
        return "with missing values", rows

    def _drawn_numbers(self) -> np.ndarray:
        """Draw each column's numbers from the sample, without gaps."""
        columns = [
            self._rng.choice(
                known if len(known := column[~np.isnan(column)]) else np.zeros(1), MAX_ROWS_PER_SET
            )
            for column in self._numbers.T
        ]
        return np.array(columns).T.reshape(MAX_ROWS_PER_SET, len(self._numeric))

    def _rows(self, numbers: np.ndarray, rare: float = RARE) -> np.ndarray:
        """Return rows with these numbers, and random values in the other columns."""
        rows = np.empty((len(numbers), len(self._contract.features)), dtype=object)
        for k, j in enumerate(self._numeric):
            rows[:, j] = _typed(numbers[:, k], self._contract, j)
        for j in range(rows.shape[1]):
            if j not in self._numeric:
                rows[:, j] = self._values(j, len(rows), rare)
        return rows.astype(self._contract.dtype, copy=False)

    def _values(self, place: int, count: int, rare: float) -> np.ndarray:
        column = self._finite.get(place)
        known = column.known if column else [v for v in self._sample[:, place] if v is not None]
        values = self._choice(known or [None], count)
        if column and column.others:
            seldom = self._rng.random(count) < rare
            values[seldom] = self._choice(column.others, int(seldom.sum()))
        return values

    def _choice(self, values: Sequence[Any], count: int) -> np.ndarray:
        objects = np.empty(len(values), dtype=object)
        objects[:] = values
        return self._rng.choice(objects, count)

    def _each(self, values_of: Any, repeats: int = 1) -> np.ndarray:
        """Return rows with each of a column's values, some times."""
        pairs = [
            (column.place, value) for column in self._finite.values() for value in values_of(column)
        ] * repeats
        pairs = [pairs[k] for k in self._rng.permutation(len(pairs))[:MAX_ROWS_PER_SET]]
        rows = self._rows(self._drawn_numbers()[: len(pairs)], rare=0.0)
        for row, (place, value) in zip(rows, pairs, strict=True):
            row[place] = value
        return rows

    def _input_splits(self, splits: Iterable[tuple[int, float]]) -> Iterator[tuple[int, float]]:
        """Yield the splits of numbers that reach the trees unchanged."""
        for feature, threshold in splits:
            column = self._unchanged[feature] if feature < len(self._unchanged) else None
            if column is not None:
                yield self._numeric.index(column), threshold


def _typed(numbers: np.ndarray, contract: Contract, place: int) -> list[Any]:
    """Return the nearest numbers that the column can hold, in the form that a batch has."""
    feature = contract.features[place]
    column = as_accepted(numbers[:, None].copy(), Contract((feature,), contract.methods))[:, 0]
    if np.issubdtype(feature.dtype, np.integer):
        return [value if is_missing(value) else int(value) for value in column.tolist()]
    return [float(value) + 0.0 for value in column.tolist()]


def _gaps(rows: np.ndarray) -> np.ndarray:
    return np.array([[is_missing(value) for value in row] for row in rows], dtype=bool)
