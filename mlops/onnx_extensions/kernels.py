"""Kernels against rows of the fit (KernelRidge, Nystroem), and random features of kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import guess_numpy_type
from sklearn.kernel_approximation import Nystroem, RBFSampler, SkewedChi2Sampler
from sklearn.kernel_ridge import KernelRidge

from mlops.conversion_failure import NoConverter
from mlops.onnx_extensions.nodes import Node, nodes


def register() -> None:
    """Register the converters."""
    for kind, convert in (
        (KernelRidge, _convert_ridge),
        (Nystroem, _convert_nystroem),
        (RBFSampler, _convert_sampler),
        (SkewedChi2Sampler, _convert_skewed),
    ):
        update_registered_converter(kind, f"Plain{kind.__name__}", _shapes, convert)


def _shapes(operator: Any) -> None:
    model = operator.raw_operator
    if isinstance(model, KernelRidge):
        count = 1 if model.dual_coef_.ndim == 1 else model.dual_coef_.shape[1]
    else:
        count = model._n_features_out
    operator.outputs[0].type.shape = [operator.inputs[0].get_first_dimension(), count]


def _convert_ridge(scope: Any, operator: Any, container: Any) -> None:
    model = operator.raw_operator
    named = {name: getattr(model, name) for name in ("gamma", "degree", "coef0")}
    weights = model.dual_coef_.reshape(len(model.X_fit_), -1)
    _convert_kernel(scope, operator, container, model.X_fit_, weights, named)


def _convert_nystroem(scope: Any, operator: Any, container: Any) -> None:
    model = operator.raw_operator
    named = model._get_kernel_params()
    _convert_kernel(scope, operator, container, model.components_, model.normalization_.T, named)


def _convert_kernel(
    scope: Any, operator: Any, container: Any, rows: np.ndarray, weights: np.ndarray, named: Any
) -> None:
    (X,), model, node = operator.inputs, operator.raw_operator, nodes(container.target_opset)
    dtype = guess_numpy_type(X.type)
    similar = _kernel(model.kernel, X, np.asarray(rows, dtype=dtype), named, node)
    node("MatMul", similar, weights.astype(dtype), output_names=operator.outputs).add_to(
        scope, container
    )


def _kernel(name: Any, X: Any, rows: np.ndarray, named: dict[str, Any], node: Node) -> Any:
    """Return the kernel of X and ``rows``, like sklearn.metrics.pairwise.pairwise_kernels."""

    def constant(key: str, default: float) -> np.ndarray:
        value = named.get(key)
        return np.array([default if value is None else value], dtype=rows.dtype)

    gamma = constant("gamma", 1.0 / rows.shape[1])
    product = node("MatMul", X, np.ascontiguousarray(rows.T))
    if name == "linear":
        return product
    if name == "rbf":
        two, axis = np.array([2], dtype=rows.dtype), np.array([1], dtype=np.int64)
        own = node("ReduceSum", node("Mul", X, X), axis, keepdims=1)
        theirs = (rows**2).sum(axis=1)[None]
        distance = node("Add", node("Sub", own, node("Mul", product, two)), theirs)
        return node("Exp", node("Mul", node("Relu", distance), -gamma))
    plane = node("Add", node("Mul", product, gamma), constant("coef0", 1.0))
    if name in ("poly", "polynomial"):
        return node("Pow", plane, constant("degree", 3.0))
    if name == "sigmoid":
        return node("Tanh", plane)
    raise NoConverter(f"the kernel {getattr(name, '__name__', name)}")


def _convert_sampler(scope: Any, operator: Any, container: Any) -> None:
    _convert_waves(scope, operator, container, operator.inputs[0])


def _convert_skewed(scope: Any, operator: Any, container: Any) -> None:
    (X,), node = operator.inputs, nodes(container.target_opset)
    skewedness = np.array([operator.raw_operator.skewedness], dtype=guess_numpy_type(X.type))
    # Of rows that the estimator refuses, the logarithm is not a number.
    _convert_waves(scope, operator, container, node("Log", node("Add", X, skewedness)))


def _convert_waves(scope: Any, operator: Any, container: Any, X: Any) -> None:
    model, node = operator.raw_operator, nodes(container.target_opset)
    dtype = guess_numpy_type(operator.inputs[0].type)
    angles = node(
        "Add",
        node("MatMul", X, model.random_weights_.astype(dtype)),
        model.random_offset_.astype(dtype)[None],
    )
    scale = np.array([(2.0 / model.n_components) ** 0.5], dtype=dtype)
    node("Mul", node("Cos", angles), scale, output_names=operator.outputs).add_to(scope, container)
