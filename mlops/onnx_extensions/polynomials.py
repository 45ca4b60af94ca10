"""PolynomialFeatures in any float: skl2onnx's takes float32 only, with nodes for each product."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import guess_numpy_type
from sklearn.preprocessing import PolynomialFeatures

from mlops.onnx_extensions.nodes import nodes


def register() -> None:
    """Register the converter."""
    update_registered_converter(PolynomialFeatures, "GatheredProducts", _shapes, _convert)


def _shapes(operator: Any) -> None:
    count = operator.raw_operator.n_output_features_
    operator.outputs[0].type.shape = [operator.inputs[0].get_first_dimension(), count]


def _convert(scope: Any, operator: Any, container: Any) -> None:
    (X,), polynomial, node = operator.inputs, operator.raw_operator, nodes(container.target_opset)
    dtype = guess_numpy_type(X.type)
    parts = []
    for factors in _factors(polynomial):
        if not len(factors):
            first = node("Gather", X, np.zeros(1, dtype=np.int64), axis=1)
            parts.append(node("Add", node("Mul", first, np.zeros(1, dtype)), np.ones(1, dtype)))
            continue
        product, *others = [node("Gather", X, places, axis=1) for places in factors]
        for factor in others:
            product = node("Mul", product, factor)
        parts.append(product)
    node("Concat", *parts, axis=1, output_names=operator.outputs).add_to(scope, container)


def _factors(polynomial: Any) -> list[np.ndarray]:
    """Return for each degree the columns, (degree, outputs), whose product is an output."""
    powers = polynomial.powers_
    degrees = powers.sum(axis=1)  # in ascending order
    columns = np.arange(powers.shape[1])
    return [
        np.array([np.repeat(columns, own) for own in powers[degrees == degree]], np.int64).T
        for degree in np.unique(degrees)
    ]
