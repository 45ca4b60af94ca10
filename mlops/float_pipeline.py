"""Splits a pipeline on mixed columns: tables for values, and a pipeline that takes floats.

The pipeline on floats has the fitted steps of the original, so it converts to ONNX like one that
was fitted on numbers. Which values matter to a step ``vocabularies`` knows; whatever else is
assumed here wrongly shows when the answers are compared.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import _safe_indexing

from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import ANY, BOOLEAN, CATEGORY, DATETIME, TEXT, Feature
from azureml_scoring.models.engines.column_tables import (
    ColumnTables,
    Number,
    ValueTable,
    is_missing,
)
from azureml_scoring.models.engines.text_sums import TextSums
from azureml_scoring.models.estimators.predictor import Predictor
from mlops.finite_columns import FiniteColumn, finite_column, joined_columns
from mlops.float_nodes import (
    Cell,
    Float,
    Gap,
    Node,
    Term,
    built,
    floats_of,
    joined,
    unchanged,
    weighing,
)
from mlops.own_encoders import CategoryCodes, taken_apart
from mlops.parity import NotProven
from mlops.read_as import listed
from mlops.text_folding import TextPart, folded
from mlops.text_rows import text_column
from mlops.value_tables import NotByColumn, as_matrix, tabulate
from mlops.vocabularies import is_identity, vocabularies

Take = Callable[[Any], Any]
"""The model's input -> the columns that a transformer of it gets."""


@dataclass(frozen=True)
class FloatPipeline:
    """``estimator`` takes the floats that ``tables`` make of a row.

    columns: the finite columns, with their values.
    unchanged: for each float that the second step gets, the column that it is the number of, or
        None.
    """

    estimator: Any
    tables: ColumnTables
    columns: list[FiniteColumn]
    unchanged: list[int | None]


def has_tables(estimator: Any, contract: Contract) -> bool:
    """Tell whether a model is split: it takes more than numbers, refuses some numbers, or encodes
    some itself."""
    if contract.dtype == object or any(feature.categories for feature in contract.features):
        return True
    first = _steps_of(estimator)[0]
    return hasattr(first, "predict") and not is_identity(taken_apart(first)[0])


def float_pipeline(estimator: Any, contract: Contract, sample: np.ndarray) -> FloatPipeline:
    """Split a fitted pipeline. ``sample``: objects, (rows, features). Raises NotProven."""
    steps = _steps_of(estimator)
    if hasattr(steps[0], "predict"):
        steps[:1] = taken_apart(steps[0])
        if steps[0] == "passthrough" and not all(map(_is_numeric, contract.features)):
            raise NotProven(
                f"{type(steps[1]).__name__} takes texts or categories itself; put an encoder "
                f"or a vectorizer before it, in one Pipeline"
            )
    with warnings.catch_warnings(action="ignore"):
        texts = folded(steps)
        splitter = _Splitter(estimator, contract, sample, texts.parts)
        node = splitter.node(steps[0], range(len(contract.features)), lambda X: X)
        return splitter.result(node, texts.steps)


class _Splitter:
    """Collects the floats that the parts of a pipeline need."""

    def __init__(
        self, estimator: Any, contract: Contract, sample: np.ndarray, texts: dict[int, TextPart]
    ) -> None:
        self._features = contract.features
        self._predictor, self._dtype = Predictor(estimator, contract), contract.dtype
        self._sample = sample
        missing = np.array([[is_missing(value) for value in row] for row in sample])
        self._base = sample[missing.sum(axis=1).argmin()].tolist()
        self._tables: list[ValueTable] = []
        self._columns: dict[int, FiniteColumn] = {}
        self._text_parts = texts
        self._texts: list[TextSums] = []
        self._text_columns: list[FiniteColumn] = []

    def _input(self, X: np.ndarray) -> Any:
        return self._predictor.model_input(X.astype(self._dtype, copy=False))

    def result(self, node: Node, steps: Sequence[Any]) -> FloatPipeline:
        floats = list(dict.fromkeys(floats_of(node)))
        numbers = [each for each in floats if isinstance(each, Number)]
        gaps = [each for each in floats if isinstance(each, Gap)]
        cells = [Cell(n, k) for n, table in enumerate(self._tables) for k in range(table.width)]
        terms = [Term(n, k) for n, text in enumerate(self._texts) for k in range(text.width)]
        order: list[Float] = [*numbers, *gaps, *cells, *terms]
        index = {each: place for place, each in enumerate(order)}
        tables = ColumnTables(
            tuple(numbers),
            tuple(gap.column for gap in gaps),
            tuple(self._tables),
            tuple(self._texts),
        )
        columns = built(node, index, tables.width)
        return FloatPipeline(
            Pipeline([("columns", columns), *((f"step{n}", step) for n, step in enumerate(steps))]),
            tables,
            joined_columns([*self._columns.values(), *self._text_columns]),
            unchanged(columns, numbers, tables.width),
        )

    def node(self, part: Any, places: Sequence[int], take: Take) -> Node:
        """Return a transformer of some columns as a node. Raises NotProven."""
        if text := self._text_parts.get(id(part)):
            return self._of_text(text, places)
        if isinstance(part, CategoryCodes):
            return self._of_codes(part, places, take)
        if is_identity(part):
            return Node([self._number(place, take, k) for k, place in enumerate(places)])
        return self._of_transformer(part, places, take)

    def _of_codes(self, part: CategoryCodes, places: Sequence[int], take: Take) -> Node:
        return Node(
            [
                self._number(place, take, place) if known is None else self._code(place, known)
                for place, known in zip(places, part.categories, strict=True)
            ]
        )

    def _of_transformer(self, part: Any, places: Sequence[int], take: Take) -> Node:
        """Return a table, if the part can be one, or what is inside of it."""
        why = "values that the fit did not have may matter to it"
        if columns := self._finite(part, places):
            try:
                return Node(self._tabulated(part, columns, take))
            except NotByColumn as error:
                why = str(error)
        if isinstance(part, Pipeline):
            return self._of_pipeline(part, places, take)
        if isinstance(part, ColumnTransformer | FeatureUnion):
            return self._of_union(part, places, take)
        return self._of_numbers(part, places, take, why)

    def _of_numbers(self, part: Any, places: Sequence[int], take: Take, why: str) -> Node:
        """Return a transformer of numbers; ``why``: it is no table."""
        if any(self._features[place].dtype in (TEXT, DATETIME, ANY) for place in places):
            names = listed([str(self._features[place].name or place) for place in places])
            raise NotProven(f"{type(part).__name__} can't be a table of {names}: {why}")
        floats = [self._number(place, take, k) for k, place in enumerate(places)]
        if isinstance(part, MissingIndicator) and _is_nan(part.missing_values):
            return Node([Gap(places[k]) for k in part.features_])
        if isinstance(part, SimpleImputer) and (filled := _filled(part, floats, places)):
            return Node(filled)
        return Node(floats, steps=[part])

    def _of_text(self, part: TextPart, places: Sequence[int]) -> Node:
        (place,) = places
        feature = self._features[place]
        own = [*(feature.categories or self._sample[:, place])]
        if not all(isinstance(text, str) for text in own):
            raise NotProven(
                f"{feature.name or place} has other values than texts, which "
                f"{part.vector.name} reads"
            )
        self._texts.append(part.vector.sums(place))
        self._text_columns.append(text_column(place, feature, own, part.vector.terms))
        return Node(
            [Term(len(self._texts) - 1, k) for k in range(part.vector.width)], steps=part.steps
        )

    def _of_pipeline(self, part: Pipeline, places: Sequence[int], take: Take) -> Node:
        first, *rest = _steps(part)
        node = self.node(first, places, take)
        return Node(node.floats, node.nodes, [*node.steps, *rest])

    def _of_union(self, part: Any, places: Sequence[int], take: Take) -> Node:
        weights = part.transformer_weights or {}
        if isinstance(part, FeatureUnion):
            return joined(
                self._weighted(inner, places, take, weights.get(name))
                for name, inner in part.transformer_list
                if inner != "drop"
            )
        nodes = []
        for name, inner, columns in part.transformers_:
            own = [places[k] for k in part._transformer_to_input_indices[name]]
            if own and not (isinstance(inner, str) and inner == "drop"):
                taken = _taking(take, columns)
                nodes.append(self._weighted(inner, own, taken, weights.get(name)))
        return joined(nodes)

    def _weighted(self, part: Any, places: Sequence[int], take: Take, weight: float | None) -> Node:
        node = self.node(part, places, take)
        if weight is None:
            return node
        width = len(places)
        if not isinstance(part, str):
            width = _dense(part.transform(take(self._input(as_matrix([self._base]))))).shape[1]
        return Node(node.floats, node.nodes, [*node.steps, weighing(weight, width)])

    def _finite(self, part: Any, places: Sequence[int]) -> list[FiniteColumn]:
        """Return the columns with their values, or none if a column may have others."""
        columns = []
        for place, known in zip(places, vocabularies(part, len(places)), strict=True):
            feature, values = self._features[place], list(known or ())
            # The contract lists these, but what several of them do together it can't say.
            listed_alone = feature.dtype in (BOOLEAN, CATEGORY) and len(places) == 1
            if feature.dtype == CATEGORY and self._text_parts:
                listed_alone = False  # what takes it may be a vectorizer
            if known is None and not listed_alone:
                return []
            if feature.dtype in (DATETIME, ANY) or (feature.numeric and not values):
                return []
            if not feature.numeric:
                values += [v for v in dict.fromkeys(self._sample[:, place]) if v is not None]
            columns.append(finite_column(place, feature, values))
        return columns

    def _tabulated(self, part: Any, columns: list[FiniteColumn], take: Take) -> list[Float]:
        def transform(X: np.ndarray) -> np.ndarray:
            return _dense(part.transform(take(self._input(X))))

        tables, outputs = tabulate(transform, columns, self._base)
        begin = len(self._tables)
        self._tables += tables
        self._columns |= {column.place: column for column in columns}
        return [Cell(begin + table, place) for table, place in outputs]

    def _code(self, place: int, categories: Sequence[Any]) -> Float:
        """Return the code of a category; NaN for other values."""
        feature = self._features[place]
        if feature.dtype != CATEGORY:
            raise NotProven(f"{feature.name or place} is no category, as it was at the fit")
        codes = {
            category: float(code) for code, category in enumerate(categories or feature.categories)
        }
        column = finite_column(place, feature, list(codes))

        def transform(X: np.ndarray) -> np.ndarray:
            return np.array([[codes.get(value, np.nan)] for value in X[:, place]])

        tables, _ = tabulate(transform, [column], self._base)
        self._tables += tables
        self._columns[place] = column
        return Cell(len(self._tables) - 1)

    def _number(self, place: int, take: Take, position: int) -> Float:
        """Return a column's own number; that of a boolean or a category from a table."""
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
            tables, _ = tabulate(transform, [column], self._base)
        except NotByColumn as error:
            raise NotProven(f"{column.name} is no number: {error}") from None
        self._tables += tables
        self._columns[place] = column
        return Cell(len(self._tables) - 1)


def _steps_of(estimator: Any) -> list[Any]:
    """Return the steps of a pipeline, of those in it and of a search's best."""
    steps = [getattr(estimator, "best_estimator_", estimator)]
    while isinstance(steps[0], Pipeline):
        steps = [*_steps(steps[0]), *steps[1:]]
    return steps


def _steps(pipeline: Pipeline) -> list[Any]:
    """Return the steps that compute answers: imbalanced-learn's samplers only work in a fit."""
    return [
        step
        for _, step in pipeline.steps
        if not (step is None or step == "passthrough" or hasattr(step, "fit_resample"))
    ]


def _taking(take: Take, columns: Any) -> Take:
    return lambda X: _safe_indexing(take(X), columns, axis=1)


def _is_numeric(feature: Feature) -> bool:
    return feature.numeric or feature.dtype == BOOLEAN


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and np.isnan(value)


def _filled(
    imputer: SimpleImputer, floats: list[Float], places: Sequence[int]
) -> list[Float] | None:
    """Return the floats of an imputer that fills gaps with numbers, else None."""
    fills = np.asarray(imputer.statistics_)
    if (
        not _is_nan(imputer.missing_values)
        or fills.dtype.kind not in "fiu"
        or not np.isfinite(fills).all()
    ):
        return None
    if not all(isinstance(each, Number) for each in floats):
        return None
    filled: list[Float] = [
        Number(place, float(fill)) for place, fill in zip(places, fills, strict=True)
    ]
    indicator = imputer.indicator_ if imputer.add_indicator else None
    gaps = [] if indicator is None else [Gap(places[k]) for k in indicator.features_]
    return filled + gaps


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
