"""Normalizer in any float: skl2onnx's gives float32 only."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import guess_numpy_type
from sklearn.preprocessing import Normalizer

from mlops.onnx_extensions.nodes import nodes


def register() -> None:
    """Register the converter."""
    update_registered_converter(Normalizer, "FloatNormalizer", _same_shape, _convert)


def _same_shape(operator: Any) -> None:
    operator.outputs[0].type.shape = list(operator.inputs[0].type.shape)


def _convert(scope: Any, operator: Any, container: Any) -> None:
    (X,), node = operator.inputs, nodes(container.target_opset)
    dtype, row = guess_numpy_type(X.type), np.array([1], dtype=np.int64)
    match operator.raw_operator.norm:
        case "l1":
            norm = node("ReduceSum", node("Abs", X), row)
        case "l2":
            norm = node("Sqrt", node("ReduceSum", node("Mul", X, X), row))
        case _:
            norm = node("ReduceMax", node("Abs", X), row)
    # scikit-learn leaves rows as they are that are nearly zero.
    least = np.array([10 * np.finfo(dtype).eps], dtype=dtype)
    divisor = node("Where", node("Less", norm, least), np.ones(1, dtype=dtype), norm)
    node("Div", X, divisor, output_names=operator.outputs).add_to(scope, container)
