"""Models within models, as parts of a graph."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from onnx import TensorProto
from skl2onnx._supported_operators import _get_sklearn_operator_name
from skl2onnx.algebra.onnx_ops import OnnxCast, OnnxGather, OnnxReshape
from skl2onnx.common.data_types import (
    Int64TensorType,
    StringTensorType,
    guess_proto_type,
    guess_tensor_type,
)

ONE_COLUMN = np.array([-1, 1], dtype=np.int64)
FLAT = np.array([-1], dtype=np.int64)


class Classified(NamedTuple):
    """A classifier's outputs: labels, and probabilities (rows, classes), or else scores."""

    label: Any
    probabilities: Any


def classified(scope: Any, classifier: Any, X: Any) -> Classified:
    """Add a fitted classifier to the graph. ``X``: a variable."""
    texts = np.asarray(classifier.classes_).dtype.kind in "OU"
    label = scope.declare_local_variable(
        "label", (StringTensorType if texts else Int64TensorType)()
    )
    probabilities = scope.declare_local_variable("probabilities", guess_tensor_type(X.type))
    _declare(scope, classifier, X, [label, probabilities])
    return Classified(label, probabilities)


def number(scope: Any, regressor: Any, X: Any) -> Any:
    """Add a fitted regressor of one target to the graph; return its variable."""
    answer = scope.declare_local_variable("answer", guess_tensor_type(X.type))
    _declare(scope, regressor, X, [answer])
    return answer


def _declare(scope: Any, model: Any, X: Any, outputs: list[Any]) -> None:
    operator = scope.declare_local_operator(_get_sklearn_operator_name(type(model)), model)
    operator.inputs.append(X)
    for output in outputs:
        operator.outputs.append(output)


def as_column(values: Any, like: Any, opset: int, **output: Any) -> Any:
    """Return values as one column of the floats of an input variable."""
    column = OnnxReshape(values, ONE_COLUMN, op_version=opset)
    return OnnxCast(column, to=guess_proto_type(like.type), op_version=opset, **output)


def looked_up(classes: np.ndarray, places: Any, opset: int, output: Any) -> Any:
    """Return the labels at some places, as the graph's output. ``places``: booleans or numbers."""
    if classes.dtype.kind in "iu":
        classes = classes.astype(np.int64)
    table = classes if classes.dtype.kind in "bi" else classes.astype(np.str_)
    flat = OnnxReshape(places, FLAT, op_version=opset)
    numbers = OnnxCast(flat, to=TensorProto.INT64, op_version=opset)
    return OnnxGather(table, numbers, op_version=opset, output_names=[output])
