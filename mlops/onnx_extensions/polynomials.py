"""PolynomialFeatures in any float: skl2onnx's takes float32 only, with nodes for each product."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.algebra.onnx_ops import OnnxGather, OnnxIdentity, OnnxMul, OnnxPad
from skl2onnx.common.data_types import guess_numpy_type
from sklearn.preprocessing import PolynomialFeatures


def register() -> None:
    """Register the converter."""
    update_registered_converter(PolynomialFeatures, "GatheredProducts", _shapes, _convert)


def _shapes(operator: Any) -> None:
    count = operator.raw_operator.n_output_features_
    operator.outputs[0].type.shape = [operator.inputs[0].get_first_dimension(), count]


def _convert(scope: Any, operator: Any, container: Any) -> None:
    (X,), opset = operator.inputs, container.target_opset
    one = np.array([1], dtype=guess_numpy_type(X.type))
    padding = np.array([0, 0, 0, 1], dtype=np.int64)
    with_one = OnnxPad(X, padding, one, op_version=opset)
    first, *others = [
        OnnxGather(with_one, places, axis=1, op_version=opset)
        for places in _factors(operator.raw_operator)
    ]
    for factor in others:
        first = OnnxMul(first, factor, op_version=opset)
    OnnxIdentity(first, op_version=opset, output_names=operator.outputs).add_to(scope, container)


def _factors(polynomial: Any) -> np.ndarray:
    """Return columns, (degree, outputs), whose product is an output; the last column is a one."""
    powers = polynomial.powers_
    width = powers.shape[1]
    degree = max(1, int(powers.sum(axis=1).max(initial=0)))
    factors = np.full((len(powers), degree), width, dtype=np.int64)
    for own, counts in zip(factors, powers, strict=True):
        columns = np.repeat(np.arange(width), counts)
        own[: len(columns)] = columns
    return factors.T
