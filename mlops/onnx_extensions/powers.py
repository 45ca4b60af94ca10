"""PowerTransformer in any float: skl2onnx's mixes float32 with others, and divides by zero."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import guess_numpy_type
from sklearn.preprocessing import PowerTransformer

from mlops.conversion_failure import NoConverter
from mlops.onnx_extensions.nodes import Node, nodes


def register() -> None:
    """Register the converter."""
    update_registered_converter(PowerTransformer, "FloatPowers", _same_shape, _convert)


def _same_shape(operator: Any) -> None:
    operator.outputs[0].type.shape = list(operator.inputs[0].type.shape)


def _convert(scope: Any, operator: Any, container: Any) -> None:
    (X,), model, node = operator.inputs, operator.raw_operator, nodes(container.target_opset)
    dtype, lambdas = guess_numpy_type(X.type), np.asarray(model.lambdas_, dtype=np.float64)
    if not np.isfinite(lambdas).all():
        raise NoConverter("a PowerTransformer of a column without values")
    zero, one = np.zeros(1, dtype=dtype), np.ones(1, dtype=dtype)
    if model.method == "box-cox":
        powers = _power(node("Log", X), lambdas, node, dtype)
        # The estimator refuses the others.
        powers = node("Where", node("Greater", X, zero), powers, np.array([np.nan], dtype=dtype))
    else:
        above = node("Log", node("Add", node("Relu", X), one))
        below = node("Log", node("Add", node("Relu", node("Neg", X)), one))
        powers = node(
            "Where",
            node("GreaterOrEqual", X, zero),
            _power(above, lambdas, node, dtype),
            node("Neg", _power(below, 2.0 - lambdas, node, dtype)),
        )
    mean, scale = np.zeros(len(lambdas)), np.ones(len(lambdas))
    if model.standardize:
        mean, scale = model._scaler.mean_, model._scaler.scale_
    centered = node("Sub", powers, mean.astype(dtype)[None])
    node("Div", centered, scale.astype(dtype)[None], output_names=operator.outputs).add_to(
        scope, container
    )


def _power(logarithm: Any, lambdas: np.ndarray, node: Node, dtype: Any) -> Any:
    """Return (x ** lambda - 1) / lambda of each column, or its limit where lambda is zero."""
    limit = np.abs(lambdas) < np.finfo(np.float64).eps
    exponents, divisors = np.where(limit, 0.0, lambdas), np.where(limit, 1.0, lambdas)
    raised = node("Exp", node("Mul", logarithm, exponents.astype(dtype)[None]))
    quotient = node(
        "Div", node("Sub", raised, np.ones(1, dtype=dtype)), divisors.astype(dtype)[None]
    )
    return node("Add", quotient, node("Mul", logarithm, limit.astype(dtype)[None]))
