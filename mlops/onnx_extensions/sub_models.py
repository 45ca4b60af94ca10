"""Models within models, as nodes of a graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx.algebra.onnx_operator import OnnxSubEstimator
from skl2onnx.algebra.onnx_ops import OnnxCast, OnnxGather, OnnxReshape
from skl2onnx.common.data_types import guess_proto_type


def probabilities(classifier: Any, X: Any, opset: int) -> Any:
    """Return the probabilities of a classifier, (rows, classes)."""
    return _classified(classifier, X, opset)[1]


def labels(classifier: Any, X: Any, opset: int) -> Any:
    """Return the labels of a classifier, (rows,)."""
    return _classified(classifier, X, opset)[0]


def _classified(classifier: Any, X: Any, opset: int) -> Any:
    return OnnxSubEstimator(classifier, X, op_version=opset, options={"zipmap": False})


def numbers(regressor: Any, X: Any, opset: int) -> Any:
    """Return the answers of a regressor of one target, (rows, 1)."""
    return column(OnnxSubEstimator(regressor, X, op_version=opset), opset)


def column(values: Any, opset: int) -> Any:
    """Return values as a matrix of one column."""
    return OnnxReshape(values, np.array([-1, 1], dtype=np.int64), op_version=opset)


def as_numbers(values: Any, like: Any, opset: int) -> Any:
    """Cast values to the floats of an input variable."""
    return OnnxCast(values, to=guess_proto_type(like.type), op_version=opset)


def looked_up(classes: np.ndarray, places: Any, opset: int, output: Any) -> Any:
    """Return the labels at some places, as the graph's output."""
    table = classes.astype(np.int64) if classes.dtype.kind in "biu" else classes.astype(np.str_)
    return OnnxGather(table, places, op_version=opset, output_names=[output])
