"""Makes tables of the parts of a pipeline that know all values of their columns, and keeps them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing

from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import ANY, BOOLEAN, CATEGORY, DATETIME, TEXT
from azureml_scoring.models.engines.column_tables import Number, ValueTable, is_missing
from azureml_scoring.models.estimators.predictor import Predictor
from mlops.finite_columns import FiniteColumn, finite_column
from mlops.float_nodes import Cell, Float
from mlops.parity import NotProven
from mlops.value_tables import NotByColumn, Transform, as_matrix, tabulate
from mlops.vocabularies import vocabularies

Take = Callable[[Any], Any]
"""The model's input -> the columns that a transformer of it gets."""


class PartTables:
    """The tables of a model's parts.

    tables: in the order in which they were made.
    columns: the columns that they take, by place.
    """

    def __init__(self, estimator: Any, contract: Contract, sample: np.ndarray) -> None:
        """``sample``: objects, (rows, features)."""
        self.tables: list[ValueTable] = []
        self.columns: dict[int, FiniteColumn] = {}
        self._features = contract.features
        self._predictor, self._dtype = Predictor(estimator, contract), contract.dtype
        self._sample = sample
        missing = np.array([[is_missing(value) for value in row] for row in sample])
        self._base = sample[missing.sum(axis=1).argmin()].tolist()

    def width(self, part: Any, take: Take) -> int:
        """Return how many floats a part gives."""
        return int(self._floats(part, take)(as_matrix([self._base])).shape[1])

    def finite_columns(
        self, part: Any, places: Sequence[int], *, beside_texts: bool
    ) -> list[FiniteColumn]:
        """Return the columns with their values, or none if a column may have others.

        ``beside_texts``: a part of the model reads texts.
        """
        columns = []
        for place, known in zip(places, vocabularies(part, len(places)), strict=True):
            feature, values = self._features[place], list(known or ())
            # The contract lists these, but what several of them do together it can't say.
            listed_alone = feature.dtype in (BOOLEAN, CATEGORY) and len(places) == 1
            if feature.dtype == CATEGORY and beside_texts:
                listed_alone = False  # what takes it may be a vectorizer
            if known is None and not listed_alone:
                return []
            if feature.dtype in (DATETIME, ANY) or (feature.numeric and not values):
                return []
            if not feature.numeric:
                values += [v for v in dict.fromkeys(self._sample[:, place]) if v is not None]
            columns.append(finite_column(place, feature, values))
        return columns

    def of_part(self, part: Any, columns: list[FiniteColumn], take: Take) -> list[Float]:
        """Return the floats of a part that takes finite columns. Raises NotByColumn."""
        return self._added(self._floats(part, take), columns)

    def code(self, place: int, categories: Sequence[Any]) -> Float:
        """Return the code of a category; NaN for other values. Raises NotProven."""
        feature = self._features[place]
        if feature.dtype != CATEGORY:
            raise NotProven(f"{feature.name or place} is no category, as it was at the fit")
        codes = {
            category: float(code) for code, category in enumerate(categories or feature.categories)
        }

        def transform(X: np.ndarray) -> np.ndarray:
            return np.array([[codes.get(value, np.nan)] for value in X[:, place]])

        return self._added(transform, [finite_column(place, feature, list(codes))])[0]

    def number(self, place: int, take: Take, position: int) -> Float:
        """Return a column's own number; that of a boolean or a category from a table.

        ``position``: among the columns that ``take`` returns. Raises NotProven.
        """
        feature = self._features[place]
        if feature.numeric:
            return Number(place)
        column = finite_column(place, feature, list(self._sample[:, place]))

        def transform(X: np.ndarray) -> np.ndarray:
            values = _safe_indexing(take(self._input(X)), [position], axis=1)
            return np.asarray(values, dtype=object).astype(np.float64)

        if feature.dtype in (TEXT, DATETIME, ANY):
            raise NotProven(f"{column.name} is no number, and no encoder makes it one")
        try:
            return self._added(transform, [column])[0]
        except NotByColumn as error:
            raise NotProven(f"{column.name} is no number: {error}") from None

    def _added(self, transform: Transform, columns: list[FiniteColumn]) -> list[Float]:
        """Add the tables of a function, and return its outputs. Raises NotByColumn."""
        tables, outputs = tabulate(transform, columns, self._base)
        begin = len(self.tables)
        self.tables += tables
        self.columns |= {column.place: column for column in columns}
        return [Cell(begin + table, place) for table, place in outputs]

    def _floats(self, part: Any, take: Take) -> Transform:
        return lambda X: _dense(part.transform(take(self._input(X))))

    def _input(self, X: np.ndarray) -> Any:
        return self._predictor.model_input(X.astype(self._dtype, copy=False))


def _dense(output: Any) -> np.ndarray:
    if hasattr(output, "toarray"):
        output = output.toarray()
    try:
        floats: np.ndarray = np.asarray(output, dtype=np.float64)
    except (TypeError, ValueError):
        raise NotByColumn("it gives no numbers") from None
    if floats.ndim != 2:
        raise NotByColumn("it gives no table")
    return floats
