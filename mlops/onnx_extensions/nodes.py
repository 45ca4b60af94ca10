"""Makes nodes by the name of their operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skl2onnx.algebra import onnx_ops

Node = Callable[..., Any]
"""Name of an operation, its inputs and its attributes -> a node."""


def nodes(opset: int) -> Node:
    """Return a function that makes the nodes of one opset."""

    def node(name: str, *inputs: Any, **attributes: Any) -> Any:
        return getattr(onnx_ops, f"Onnx{name}")(*inputs, op_version=opset, **attributes)

    return node
