"""Splits a pipeline on mixed columns: tables for values, and a pipeline that takes floats.

The pipeline on floats has the fitted steps of the original, so it converts to ONNX like one that
was fitted on numbers. Which values matter to a step ``vocabularies`` knows; whatever else is
assumed here wrongly shows when the answers are compared.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import BOOLEAN, Feature
from azureml_scoring.models.engines.column_tables import ColumnTables, Number
from mlops.finite_columns import FiniteColumn, joined_columns
from mlops.float_nodes import Cell, Float, Gap, Node, Term, built, floats_of, unchanged
from mlops.own_encoders import taken_apart
from mlops.parity import NotProven
from mlops.pipeline_splitter import PipelineSplitter
from mlops.pipeline_steps import flat_steps
from mlops.text_folding import folded


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


def float_pipeline(estimator: Any, contract: Contract, sample: np.ndarray) -> FloatPipeline:
    """Split a fitted pipeline. ``sample``: objects, (rows, features). Raises NotProven."""
    steps = flat_steps(estimator)
    if hasattr(steps[0], "predict"):
        steps[:1] = taken_apart(steps[0])
        if steps[0] == "passthrough" and not all(map(_is_numeric, contract.features)):
            kind = getattr(steps[1], "file_kind", None)
            raise NotProven(
                f"{f'this {kind}' if kind else type(steps[1]).__name__} takes texts or categories "
                f"itself; put an encoder or a vectorizer before the model, in one Pipeline"
            )
    with warnings.catch_warnings(action="ignore"):
        texts = folded(steps)
        splitter = PipelineSplitter(estimator, contract, sample, texts.parts)
        node = splitter.node(steps[0], range(len(contract.features)), lambda X: X)
        return _put_together(splitter, node, texts.steps)


def _put_together(
    splitter: PipelineSplitter, node: Node, following: Sequence[Any]
) -> FloatPipeline:
    """Return the node of the first step and the steps that follow as one pipeline."""
    floats = list(dict.fromkeys(floats_of(node)))
    numbers = [each for each in floats if isinstance(each, Number)]
    gaps = [each for each in floats if isinstance(each, Gap)]
    tables = splitter.tables.tables
    cells = [Cell(n, k) for n, table in enumerate(tables) for k in range(table.width)]
    terms = [Term(n, k) for n, text in enumerate(splitter.texts) for k in range(text.width)]
    order: list[Float] = [*numbers, *gaps, *cells, *terms]
    index = {each: place for place, each in enumerate(order)}
    columns = built(node, index, len(order))
    return FloatPipeline(
        Pipeline([("columns", columns), *((f"step{n}", step) for n, step in enumerate(following))]),
        ColumnTables(
            tuple(numbers), tuple(gap.column for gap in gaps), tuple(tables), tuple(splitter.texts)
        ),
        joined_columns(splitter.columns),
        unchanged(columns, numbers, len(order)),
    )


def _is_numeric(feature: Feature) -> bool:
    return feature.numeric or feature.dtype == BOOLEAN
