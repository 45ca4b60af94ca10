"""SplineTransformer: between two knots each spline is a polynomial."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from onnx import TensorProto
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import guess_numpy_type
from sklearn.preprocessing import SplineTransformer

from mlops.conversion_failure import NoConverter
from mlops.onnx_extensions.nodes import Node, nodes


class Pieces(NamedTuple):
    """The polynomials of one feature's splines, from the left.

    breaks: where the next piece begins, one less than pieces.
    starts: what is subtracted from the feature before the powers are taken.
    coefficients: (powers, pieces, splines).
    """

    breaks: np.ndarray
    starts: np.ndarray
    coefficients: np.ndarray


def register() -> None:
    """Register the converter."""
    update_registered_converter(SplineTransformer, "PiecewiseSplines", _shapes, _convert)


def _shapes(operator: Any) -> None:
    count = operator.raw_operator.n_features_out_
    operator.outputs[0].type.shape = [operator.inputs[0].get_first_dimension(), count]


def _convert(scope: Any, operator: Any, container: Any) -> None:
    (X,), model = operator.inputs, operator.raw_operator
    dtype, node = guess_numpy_type(X.type), nodes(container.target_opset)

    def floats(values: Any) -> np.ndarray:
        return np.asarray(values, dtype=dtype)

    every = [_pieces(spline, model.extrapolation) for spline in model.bsplines_]
    count, splines = every[0].coefficients.shape[1:]
    if model.extrapolation == "periodic":
        X = _wrapped(X, model.bsplines_, node, floats)
    last, where = np.array([2], dtype=np.int64), np.arange(len(every), dtype=np.int64) * count
    column = node("Unsqueeze", X, last)
    reached = node("GreaterOrEqual", column, floats([each.breaks for each in every])[None])
    piece = node(
        "Add",
        node("ReduceSum", node("Cast", reached, to=TensorProto.INT64), last, keepdims=0),
        where[None],
    )
    begin = node("Gather", floats([each.starts for each in every]).ravel(), piece)
    power = node("Unsqueeze", node("Sub", X, begin), last)
    tables = floats([each.coefficients for each in every]).swapaxes(0, 1)
    *lower, values = [node("Gather", table.reshape(-1, splines), piece, axis=0) for table in tables]
    for table in reversed(lower):
        values = node("Add", node("Mul", values, power), table)
    kept = np.arange(len(every) * splines).reshape(len(every), splines)
    kept = kept if model.include_bias else kept[:, :-1]
    flat = node("Reshape", values, np.array([-1, len(every) * splines], dtype=np.int64))
    node(
        "Gather", flat, kept.ravel().astype(np.int64), axis=1, output_names=operator.outputs
    ).add_to(scope, container)


def _wrapped(X: Any, splines: Any, node: Node, floats: Any) -> Any:
    """Return the features within one period."""
    low, high = floats([_range(spline) for spline in splines]).T[:, None]
    if (high <= low).any():
        raise NoConverter("a periodic SplineTransformer of one value")
    above = node("Sub", X, low)
    periods = node("Floor", node("Div", above, high - low))
    return node("Add", node("Sub", above, node("Mul", periods, high - low)), low)


def _range(spline: Any) -> tuple[float, float]:
    return float(spline.t[spline.k]), float(spline.t[-spline.k - 1])


def _pieces(spline: Any, extrapolation: str) -> Pieces:
    degree = int(spline.k)
    if degree == 0:
        raise NoConverter("a SplineTransformer of degree 0")
    low, high = _range(spline)
    knots = spline.t[degree : len(spline.t) - degree]
    starts, breaks = knots[:-1], knots[1:-1]
    inside = np.array(
        [spline(starts, nu=power) / math.factorial(power) for power in range(degree + 1)]
    )
    if extrapolation in ("continue", "periodic"):
        return Pieces(breaks, starts, inside)
    outside = np.zeros((degree + 1, 2, inside.shape[2]))
    if extrapolation == "error":
        outside[:] = np.nan  # the estimator refuses such rows
    else:
        outside[0] = spline([low, high])
    if extrapolation == "linear":
        outside[1] = spline([low, high], nu=1)
    return Pieces(
        np.r_[low, breaks, high],
        np.r_[low, starts, high],
        np.concatenate([outside[:, :1], inside, outside[:, 1:]], axis=1),
    )
