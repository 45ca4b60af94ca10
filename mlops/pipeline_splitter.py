"""Walks through the first step of a pipeline, part by part, and collects the floats of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import _safe_indexing

from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import ANY, DATETIME, TEXT
from azureml_scoring.models.engines.text_sums import TextSums
from mlops.finite_columns import FiniteColumn
from mlops.float_nodes import Node, Term, joined, weighing, width_of
from mlops.gap_floats import gap_floats
from mlops.own_encoders import CategoryCodes
from mlops.parity import NotProven
from mlops.part_tables import PartTables, Take
from mlops.pipeline_steps import own_steps
from mlops.read_as import listed
from mlops.text_folding import TextPart
from mlops.text_rows import text_column
from mlops.value_tables import NotByColumn
from mlops.vocabularies import is_identity


class PipelineSplitter:
    """Makes nodes of fitted transformers.

    tables, texts: what makes their floats of a row.
    """

    def __init__(
        self, estimator: Any, contract: Contract, sample: np.ndarray, texts: dict[int, TextPart]
    ) -> None:
        """``sample``: objects, (rows, features). ``texts``: the parts that read texts, by id."""
        self.tables = PartTables(estimator, contract, sample)
        self.texts: list[TextSums] = []
        self._features = contract.features
        self._sample = sample
        self._text_parts = texts
        self._text_columns: list[FiniteColumn] = []

    @property
    def columns(self) -> list[FiniteColumn]:
        """The columns of tables and texts, with their values."""
        return [*self.tables.columns.values(), *self._text_columns]

    def node(self, part: Any, places: Sequence[int], take: Take) -> Node:
        """Return a transformer of the columns at ``places`` as a node. Raises NotProven."""
        if text := self._text_parts.get(id(part)):
            return self._of_text(text, places)
        if isinstance(part, CategoryCodes):
            return self._of_codes(part, places, take)
        if is_identity(part):
            return Node([self.tables.number(place, take, k) for k, place in enumerate(places)])
        return self._of_transformer(part, places, take)

    def _of_text(self, part: TextPart, places: Sequence[int]) -> Node:
        (place,) = places
        feature = self._features[place]
        own = [*(feature.categories or self._sample[:, place])]
        if not all(isinstance(text, str) for text in own):
            raise NotProven(
                f"{feature.name or place} has other values than texts, which "
                f"{part.vector.name} reads"
            )
        self.texts.append(part.vector.sums(place))
        self._text_columns.append(text_column(place, feature, own, part.vector.terms))
        return Node(
            [Term(len(self.texts) - 1, k) for k in range(part.vector.width)], steps=part.steps
        )

    def _of_codes(self, part: CategoryCodes, places: Sequence[int], take: Take) -> Node:
        return Node(
            [
                self.tables.number(place, take, place)
                if known is None
                else self.tables.code(place, known)
                for place, known in zip(places, part.categories, strict=True)
            ]
        )

    def _of_transformer(self, part: Any, places: Sequence[int], take: Take) -> Node:
        """Return a table, if the part can be one, or what is inside of it."""
        why = "values that the fit did not have may matter to it"
        columns = self.tables.finite_columns(part, places, beside_texts=bool(self._text_parts))
        if columns:
            try:
                return Node(self.tables.of_part(part, columns, take))
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
        floats = [self.tables.number(place, take, k) for k, place in enumerate(places)]
        filled = gap_floats(part, floats, places)
        return Node(floats, steps=[part]) if filled is None else Node(filled)

    def _of_pipeline(self, part: Pipeline, places: Sequence[int], take: Take) -> Node:
        first, *rest = own_steps(part)
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
        # A text that a linear model is folded into gives fewer floats than its part.
        width = width_of(node)
        if width is None:
            width = self.tables.width(part, take)
        return Node(node.floats, node.nodes, [*node.steps, weighing(weight, width)])


def _taking(take: Take, columns: Any) -> Take:
    return lambda X: _safe_indexing(take(X), columns, axis=1)
