"""EllipticEnvelope: outliers by their distance from the centre."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto
from skl2onnx import update_registered_converter
from skl2onnx.algebra.onnx_ops import (
    OnnxCast,
    OnnxGreaterOrEqual,
    OnnxMatMul,
    OnnxMul,
    OnnxReduceSum,
    OnnxReshape,
    OnnxSub,
)
from skl2onnx.common.data_types import Int64TensorType, guess_numpy_type
from sklearn.covariance import EllipticEnvelope

LABELS = np.array([-1, 1])
"""Of an outlier and of an inlier."""


def register() -> None:
    """Register the converter."""
    update_registered_converter(EllipticEnvelope, "DistanceEnvelope", shapes, _convert)


def shapes(operator: Any) -> None:
    """Set the shapes of a detector's label and score."""
    count = operator.inputs[0].get_first_dimension()
    operator.outputs[0].set_type(Int64TensorType([count]))
    operator.outputs[1].type.shape = [count, 1]


def label_of(score: Any, limit: np.ndarray, opset: int, output: Any) -> Any:
    """Return 1 for scores from a limit, else -1, as the graph's output."""
    inside = OnnxCast(
        OnnxReshape(
            OnnxGreaterOrEqual(score, limit, op_version=opset),
            np.array([-1], dtype=np.int64),
            op_version=opset,
        ),
        to=TensorProto.INT64,
        op_version=opset,
    )
    two, one = np.array([2], dtype=np.int64), np.array([1], dtype=np.int64)
    return OnnxSub(
        OnnxMul(inside, two, op_version=opset), one, op_version=opset, output_names=[output]
    )


def _convert(scope: Any, operator: Any, container: Any) -> None:
    (X,), model, opset = operator.inputs, operator.raw_operator, container.target_opset
    dtype = guess_numpy_type(X.type)
    apart = OnnxSub(X, model.location_.astype(dtype), op_version=opset)
    weighted = OnnxMatMul(apart, model.get_precision().astype(dtype), op_version=opset)
    distance = OnnxReduceSum(
        OnnxMul(apart, weighted, op_version=opset),
        np.array([1], dtype=np.int64),
        keepdims=1,
        op_version=opset,
    )
    score = OnnxSub(
        np.array([-model.offset_], dtype=dtype),
        distance,
        op_version=opset,
        output_names=[operator.outputs[1]],
    )
    score.add_to(scope, container)
    label_of(score, np.zeros(1, dtype=dtype), opset, operator.outputs[0]).add_to(scope, container)
