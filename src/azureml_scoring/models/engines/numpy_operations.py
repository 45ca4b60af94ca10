"""The operations of ONNX that numpy computes for numpy_graph.py, as functions of arrays."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import expit

if TYPE_CHECKING:
    from onnx import NodeProto

# An answer that is not finite says enough. ``numpy.errstate`` around each call would add a fifth
# to its time.
warnings.filterwarnings(
    "ignore",
    r"(overflow|invalid value|divide by zero) encountered",
    RuntimeWarning,
    r"azureml_scoring\.models\.engines\.numpy_(graph|operations)$",
)

Function = Callable[..., np.ndarray]

ELEMENTWISE: dict[str, Function] = {
    "Abs": np.abs,
    "Add": np.add,
    "Div": np.divide,
    "Exp": np.exp,
    "Log": np.log,
    "Mul": np.multiply,
    "Neg": np.negative,
    "Relu": lambda x: np.maximum(x, 0.0),
    "Sigmoid": expit,
    "Sqrt": np.sqrt,
    "Sub": np.subtract,
    "Tanh": np.tanh,
}
"""Operations without attributes."""


def numpy_function(node: NodeProto, constants: dict[str, np.ndarray]) -> Function:  # noqa: PLR0911 one for each kind
    """Of the node's inputs. Raises NotImplementedError."""
    from onnx.helper import get_attribute_value, tensor_dtype_to_np_dtype

    attributes = {attribute.name: get_attribute_value(attribute) for attribute in node.attribute}
    axis, keep = attributes.get("axis"), bool(attributes.get("keepdims", 1))
    known = [constants.get(name) for name in node.input]
    second = known[1].ravel().tolist() if len(known) == 2 and known[1] is not None else []
    match node.op_type:
        case kind if kind in ELEMENTWISE and not attributes:
            return ELEMENTWISE[kind]
        case "ArgMax" if not attributes.get("select_last_index"):
            return lambda x: x.argmax(axis=axis or 0, keepdims=keep)
        case "Cast":
            dtype = tensor_dtype_to_np_dtype(attributes["to"])
            return lambda x: x.astype(dtype, copy=False)
        case "Concat":
            return lambda *parts: np.concatenate(parts, axis=axis)
        case "MatMul" if known[1] is not None and known[1].ndim == 2:
            return np.dot  # of matrices the same, in a third of the time
        case "ReduceSum" if second:
            return lambda x, axes: x.sum(axis=tuple(second), keepdims=keep)
        case "Reshape" if second and 0 not in second:
            return lambda x, shape: x.reshape(second)
        case "Softmax":
            return lambda x: _softmax(x, -1 if axis is None else axis)
        case _:
            raise NotImplementedError(node.op_type)


def _softmax(x: np.ndarray, axis: int) -> np.ndarray:
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    weights: np.ndarray = powers / powers.sum(axis=axis, keepdims=True)
    return weights


def _dot_by_row(x: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """As so many products of a vector: by themselves they are computed in another order than as one
    of matrices."""
    products: np.ndarray = np.matmul(x[:, None], matrix)[:, 0]
    return products


BY_ROW: dict[Function, Function] = {np.dot: _dot_by_row}
"""What a row's result may depend on the rows beside it in -> the same where it does not. All else
goes by element, or along one row."""


class Lookup(NamedTuple):
    """Values of a ``table`` by their ``places``, as a ``flat`` array or a row, as labels are read
    off classes."""

    table: np.ndarray
    places: str
    flat: bool

    def function(self, places: np.ndarray) -> np.ndarray:
        values: np.ndarray = self.table[places.ravel()]
        return values if self.flat else values.reshape(1, -1)


def fold_label_lookup(
    node: NodeProto, constants: dict[str, np.ndarray], lookups: dict[str, Lookup]
) -> Lookup | None:
    """A lookup, or what is done to all that one gives, which is done to its table instead, once."""
    first, *others = node.input or [""]
    if node.op_type == "ArrayFeatureExtractor" and first in constants:
        return Lookup(constants[first].ravel(), others[0], flat=False)
    if (before := lookups.get(first)) is None:
        return None
    if node.op_type == "Cast":
        return before._replace(table=numpy_function(node, constants)(before.table))
    if (
        node.op_type == "Reshape"
        and others[0] in constants
        and constants[others[0]].tolist() == [-1]
    ):
        return before._replace(flat=True)
    return None
