"""Reads an ONNX graph by the messages of the package onnx alone.

Importing the package takes four times the memory and the time, for checkers and converters that a
service never calls (docs/adr/0022).
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto

MESSAGES = "onnx_ml_pb2"

DTYPES: dict[int, tuple[np.dtype[Any], str]] = {
    1: (np.dtype(np.float32), "float_data"),
    2: (np.dtype(np.uint8), "int32_data"),
    3: (np.dtype(np.int8), "int32_data"),
    6: (np.dtype(np.int32), "int32_data"),
    7: (np.dtype(np.int64), "int64_data"),
    8: (np.dtype(object), "string_data"),
    9: (np.dtype(np.bool_), "int32_data"),
    11: (np.dtype(np.float64), "double_data"),
}
"""TensorProto's data type -> numpy's, and the field that holds values unless raw_data does."""

INT, STRING, TENSOR, FLOATS, INTS, STRINGS = 2, 3, 4, 6, 7, 8
"""AttributeProto's types."""


def read_graph(model: bytes) -> GraphProto:
    """Parse a model; return its graph."""
    graph: GraphProto = _messages().ModelProto.FromString(model).graph
    return graph


def to_array(tensor: TensorProto) -> np.ndarray:
    """Return a tensor's values. Raises NotImplementedError for types that models hardly have."""
    dtype, field = _known(tensor.data_type)
    if tensor.HasField("raw_data"):
        values = np.frombuffer(tensor.raw_data, dtype=dtype.newbyteorder("<"))
    elif dtype.hasobject:
        values = np.array([text.decode() for text in tensor.string_data], dtype=object)
    else:
        values = np.array(getattr(tensor, field), dtype=dtype)
    return values.reshape(tuple(tensor.dims))


def dtype_of(data_type: int) -> np.dtype[Any]:
    """Return numpy's dtype. Raises NotImplementedError."""
    return _known(data_type)[0]


def attributes_of(node: NodeProto) -> dict[str, Any]:
    """Return the values of a node's attributes, lists and tensors as arrays; None for the types
    that no operation here has."""
    read: dict[int, Callable[[Any], Any]] = {
        INT: lambda attribute: attribute.i,
        STRING: lambda attribute: attribute.s.decode(),
        INTS: lambda attribute: np.array(attribute.ints, dtype=np.int64),
        FLOATS: lambda attribute: np.array(attribute.floats, dtype=np.float32),
        STRINGS: lambda attribute: np.array(list(attribute.strings)),
        TENSOR: lambda attribute: to_array(attribute.t),
    }
    return {
        attribute.name: read[attribute.type](attribute) if attribute.type in read else None
        for attribute in node.attribute
    }


def _known(data_type: int) -> tuple[np.dtype[Any], str]:
    try:
        return DTYPES[data_type]
    except KeyError:
        raise NotImplementedError(f"values of type {data_type}") from None


@functools.cache
def _messages() -> Any:
    """Return onnx's module of messages, without its package."""
    name = f"onnx.{MESSAGES}"
    if name in sys.modules:
        return sys.modules[name]
    package = importlib.util.find_spec("onnx")
    spec = package and PathFinder.find_spec(MESSAGES, package.submodule_search_locations)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError("onnx is not installed", name="onnx")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
