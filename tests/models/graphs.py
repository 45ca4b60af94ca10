"""ONNX graphs by themselves, as their users export them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

OPSETS = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]


def of_sklearn(
    estimator: Any, width: int | None, *, double: bool = False, **options: bool
) -> bytes:
    """Convert an estimator of ``width`` numbers with skl2onnx. ``options``: its own, such as
    ``zipmap``."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    kind = DoubleTensorType if double else FloatTensorType
    types = [("X", kind([None, width]))]
    model = to_onnx(estimator, initial_types=types, options={id(estimator): options})
    graph: bytes = model.SerializeToString()
    return graph


def of_columns(estimator: Any, kinds: dict[str, str]) -> bytes:
    """Convert a pipeline on a DataFrame: one input for each column, by its kind."""
    from skl2onnx import to_onnx
    from skl2onnx.common import data_types

    types = [(name, getattr(data_types, kind)([None, 1])) for name, kind in kinds.items()]
    graph: bytes = to_onnx(estimator, initial_types=types).SerializeToString()
    return graph


def model(
    nodes: list[Any],
    inputs: list[Any],
    outputs: list[Any],
    constants: dict[str, np.ndarray] | None = None,
    *,
    opsets: list[Any] = OPSETS,
    ir_version: int = 9,
) -> onnx.ModelProto:
    initializers = [
        onnx.numpy_helper.from_array(value, name) for name, value in (constants or {}).items()
    ]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)


def tensor(name: str, kind: int, *shape: int | str | None) -> Any:
    return helper.make_tensor_value_info(name, kind, list(shape))


def linear(rows: int | str | None = "N", width: int | str | None = 3) -> onnx.ModelProto:
    """``y = x @ [1, 2, 3]``."""
    return model(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [tensor("x", TensorProto.FLOAT, rows, width)],
        [tensor("y", TensorProto.FLOAT, rows, 1)],
        {"w": np.array([[1], [2], [3]], np.float32)},
    )


def whole(kind: int = TensorProto.INT64) -> onnx.ModelProto:
    """``total = count + 1``, of whole numbers; flat."""
    return model(
        [helper.make_node("Add", ["count", "one"], ["total"])],
        [tensor("count", kind, "N")],
        [tensor("total", kind, "N")],
        {"one": np.array([1], helper.tensor_dtype_to_np_dtype(kind))},
    )
