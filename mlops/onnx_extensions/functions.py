"""Numpy's functions of one number, as FunctionTransformer and transformed targets use them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.algebra import onnx_ops
from skl2onnx.common.data_types import guess_numpy_type
from sklearn.compose import TransformedTargetRegressor
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)

from mlops.conversion_failure import NoConverter
from mlops.onnx_extensions.nodes import nodes
from mlops.onnx_extensions.sub_models import as_column, number

NODES = {
    np.abs: "Abs",
    np.cos: "Cos",
    np.exp: "Exp",
    np.log: "Log",
    np.negative: "Neg",
    np.reciprocal: "Reciprocal",
    np.sin: "Sin",
    np.sqrt: "Sqrt",
    np.tanh: "Tanh",
}
"""Functions that ONNX has."""

SCALERS = {MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler}


def register() -> None:
    """Register the converters of both classes."""
    update_registered_converter(
        FunctionTransformer, "NumpyFunctionTransformer", _same_shape, _convert_function
    )
    update_registered_converter(
        TransformedTargetRegressor, "NumpyTransformedTarget", _one_column, _convert_target
    )


def apply(
    function: Callable[..., Any] | None, X: Any, opset: int, dtype: Any, **output: Any
) -> Any:
    """Return the node that computes a function. Raises NoConverter."""

    node = nodes(opset)

    def constant(value: float) -> np.ndarray:
        return np.array([value], dtype=dtype)

    if function is None:
        return node("Identity", X, **output)
    if function in NODES:
        return node(NODES[function], X, **output)
    if function is np.square:
        return node("Mul", X, X, **output)
    if function is np.expm1:
        return node("Sub", node("Exp", X), constant(1), **output)
    if function is np.log1p:
        return node("Log", node("Add", X, constant(1)), **output)
    if function in (np.log2, np.log10):
        base = 2 if function is np.log2 else 10
        return node("Div", node("Log", X), constant(np.log(base)), **output)
    raise NoConverter(f"the function {getattr(function, '__name__', function)}")


def _same_shape(operator: Any) -> None:
    operator.outputs[0].type.shape = list(operator.inputs[0].type.shape)


def _one_column(operator: Any) -> None:
    operator.outputs[0].type.shape = [operator.inputs[0].get_first_dimension(), 1]


def _convert_function(scope: Any, operator: Any, container: Any) -> None:
    (X,), model = operator.inputs, operator.raw_operator
    if model.kw_args:
        raise NoConverter("a function with arguments")
    apply(
        model.func,
        X,
        container.target_opset,
        guess_numpy_type(X.type),
        output_names=operator.outputs,
    ).add_to(scope, container)


def _convert_target(scope: Any, operator: Any, container: Any) -> None:
    (X,), model, opset = operator.inputs, operator.raw_operator, container.target_opset
    transformer = model.transformer_
    if model._training_dim > 1:
        raise NoConverter("several targets that a transformer changed")
    answers = as_column(number(scope, model.regressor_, X), X, opset)
    dtype, output = guess_numpy_type(X.type), {"output_names": operator.outputs}
    if type(transformer) is FunctionTransformer:
        node = apply(transformer.inverse_func, answers, opset, dtype, **output)
    elif type(transformer) in SCALERS:
        offset, one = transformer.inverse_transform([[0.0], [1.0]]).ravel()
        slope = onnx_ops.OnnxMul(answers, np.array([one - offset], dtype=dtype), op_version=opset)
        node = onnx_ops.OnnxAdd(slope, np.array([offset], dtype=dtype), op_version=opset, **output)
    else:
        raise NoConverter(f"a target that {type(transformer).__name__} changed")
    node.add_to(scope, container)
