"""Selectors of columns: skl2onnx makes a graph that fails if only the first is left."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.algebra.onnx_ops import OnnxGather
from sklearn.feature_selection import (
    GenericUnivariateSelect,
    SelectFdr,
    SelectFpr,
    SelectFromModel,
    SelectFwe,
    SelectKBest,
    SelectPercentile,
    SequentialFeatureSelector,
    VarianceThreshold,
)

from mlops.conversion_failure import NoConverter

KINDS = (
    GenericUnivariateSelect,
    SelectFdr,
    SelectFpr,
    SelectFromModel,
    SelectFwe,
    SelectKBest,
    SelectPercentile,
    SequentialFeatureSelector,
    VarianceThreshold,
)


def register() -> None:
    """Register the converter of all classes."""
    for kind in KINDS:
        update_registered_converter(kind, f"Columns{kind.__name__}", _shapes, _convert)


def _shapes(operator: Any) -> None:
    count = int(operator.raw_operator.get_support().sum())
    if not count:
        raise NoConverter("a selector that leaves no column")
    operator.outputs[0].type.shape = [operator.inputs[0].get_first_dimension(), count]


def _convert(scope: Any, operator: Any, container: Any) -> None:
    places = np.flatnonzero(operator.raw_operator.get_support()).astype(np.int64)
    OnnxGather(
        operator.inputs[0],
        places,
        axis=1,
        op_version=container.target_opset,
        output_names=operator.outputs,
    ).add_to(scope, container)
