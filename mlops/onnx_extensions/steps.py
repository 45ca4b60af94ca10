"""KBinsDiscretizer and Binarizer: which edges a number has reached.

skl2onnx compares float32, so that numbers next to an edge get into another bin.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.algebra.onnx_ops import (
    OnnxAdd,
    OnnxCast,
    OnnxGather,
    OnnxGreater,
    OnnxGreaterOrEqual,
    OnnxMatMul,
)
from skl2onnx.common.data_types import guess_numpy_type, guess_proto_type
from sklearn.preprocessing import Binarizer, KBinsDiscretizer


def register() -> None:
    """Register the converters of both classes."""
    update_registered_converter(Binarizer, "FloatBinarizer", _same_shape, _convert_binarizer)
    update_registered_converter(KBinsDiscretizer, "EdgeDiscretizer", _bins, _convert_bins)


def _same_shape(operator: Any) -> None:
    operator.outputs[0].type.shape = list(operator.inputs[0].type.shape)


def _bins(operator: Any) -> None:
    bins = operator.raw_operator
    count = len(bins.n_bins_) if bins.encode == "ordinal" else int(np.sum(bins.n_bins_))
    operator.outputs[0].type.shape = [operator.inputs[0].get_first_dimension(), count]


def _convert_binarizer(scope: Any, operator: Any, container: Any) -> None:
    (X,), opset = operator.inputs, container.target_opset
    threshold = np.array([operator.raw_operator.threshold], dtype=guess_numpy_type(X.type))
    OnnxCast(
        OnnxGreater(X, threshold, op_version=opset),
        to=guess_proto_type(X.type),
        op_version=opset,
        output_names=operator.outputs,
    ).add_to(scope, container)


def _convert_bins(scope: Any, operator: Any, container: Any) -> None:
    (X,), bins, opset = operator.inputs, operator.raw_operator, container.target_opset
    dtype = guess_numpy_type(X.type)
    columns, edges, weights, offset = _linear(bins)
    if not len(columns):  # a graph can't have empty tables; no number reaches this edge
        columns, edges, weights = np.zeros(1, np.int64), np.array([np.inf]), np.zeros_like([offset])
    reached = OnnxCast(
        OnnxGreaterOrEqual(
            OnnxGather(X, columns, axis=1, op_version=opset),
            edges.astype(dtype)[None],
            op_version=opset,
        ),
        to=guess_proto_type(X.type),
        op_version=opset,
    )
    OnnxAdd(
        OnnxMatMul(reached, weights.astype(dtype), op_version=opset),
        offset.astype(dtype)[None],
        op_version=opset,
        output_names=operator.outputs,
    ).add_to(scope, container)


def _linear(bins: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the inner edges and each one's column; and the matrix and the offset that make the
    output of ones at the edges that a row has reached.

    The number of a bin is the count of such edges; it is bin k that the k-th edge leads to, and
    out of which the next one leads.
    """
    inner = [np.asarray(edges[1:-1]) for edges in bins.bin_edges_]
    columns = np.repeat(np.arange(len(inner)), [len(edges) for edges in inner])
    if bins.encode == "ordinal":
        weights = (columns[:, None] == np.arange(len(inner))).astype(float)
        return columns, np.concatenate(inner), weights, np.zeros(len(inner))
    first = np.r_[0, np.cumsum(bins.n_bins_)].astype(int)
    weights, offset = np.zeros((len(columns), first[-1])), np.zeros(first[-1])
    offset[first[:-1]] = 1.0
    into = np.concatenate(
        [begin + 1 + np.arange(len(edges)) for begin, edges in zip(first, inner, strict=False)]
    ).astype(int)
    edges = np.arange(len(columns))
    weights[edges, into], weights[edges, into - 1] = 1.0, -1.0
    return columns, np.concatenate(inner), weights, offset
