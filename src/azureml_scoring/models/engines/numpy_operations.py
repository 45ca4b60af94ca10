"""ONNX operations as functions of numpy arrays, for numpy_graph.py."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from azureml_scoring.models.engines.onnx_reader import attributes_of, dtype_of

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


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x)). ``scipy.special`` has it too, and takes 16 MiB of each worker."""
    answers: np.ndarray = 1 / (1 + np.exp(-x))
    return answers


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    weights: np.ndarray = powers / powers.sum(axis=axis, keepdims=True)
    return weights


ELEMENTWISE: dict[str, Function] = {
    "Abs": np.abs,
    "Add": np.add,
    "Cos": np.cos,
    "Div": np.divide,
    "Equal": np.equal,
    "Exp": np.exp,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Identity": lambda x: x,
    "IsNaN": np.isnan,
    "Log": np.log,
    "Mul": np.multiply,
    "Neg": np.negative,
    "Relu": lambda x: np.maximum(x, 0.0),
    "Sigmoid": sigmoid,
    "Sqrt": np.sqrt,
    "Sub": np.subtract,
    "Tanh": np.tanh,
    "Where": np.where,
}
"""Operations without attributes, computed element by element."""


def numpy_function(  # noqa: PLR0911 one for each operation
    node: NodeProto, constants: dict[str, np.ndarray]
) -> Function:
    """Return the function that computes a node from its inputs. Raises NotImplementedError."""
    attributes = attributes_of(node)
    axis, keep = attributes.get("axis"), bool(attributes.get("keepdims", 1))
    known = [constants.get(name) for name in node.input]
    second = known[1].ravel().tolist() if len(known) == 2 and known[1] is not None else []
    match node.op_type:
        case kind if kind in ELEMENTWISE and not attributes:
            return ELEMENTWISE[kind]
        case "ArrayFeatureExtractor" if second:
            return _columns(second)
        case "Gather" if known[1] is not None and known[1].ndim == 1 and axis == 1:
            return _columns(second)
        case "ArgMax" if not attributes.get("select_last_index"):
            return lambda x: x.argmax(axis=axis or 0, keepdims=keep)
        case "Cast":
            dtype = dtype_of(attributes["to"])
            return lambda x: x.astype(dtype, copy=False)
        case "Concat":
            return lambda *parts: np.concatenate(parts, axis=axis)
        case "Gather" if known[0] is not None and not axis:
            table = known[0]
            return lambda _, places: table[places]
        case "MatMul" if known[1] is not None and known[1].ndim == 2:
            return np.dot  # as matmul for matrices, in a third of the time
        case "ReduceSum" if second:
            return lambda x, axes: x.sum(axis=tuple(second), keepdims=keep)
        case "Reshape" if second and 0 not in second:
            return lambda x, shape: x.reshape(second)
        case "Softmax":
            return lambda x: softmax(x, -1 if axis is None else axis)
        case _:
            raise NotImplementedError(node.op_type)


def _columns(places: list[int]) -> Function:
    first, count = places[0], len(places)
    if places == [*range(first, first + count)]:
        return lambda x, _: x[:, first : first + count]  # a view
    return lambda x, _: x[:, places]


def _dot_by_row(x: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Multiply row by row: a product of matrices adds up in another order than one of a vector."""
    products: np.ndarray = np.matmul(x[:, None], matrix)[:, 0]
    return products


BY_ROW: dict[Function, Function] = {np.dot: _dot_by_row}
"""Operations whose result for one row may depend on the others, mapped to an equivalent computed
row by row. All other operations work element by element, or along one row."""


class Lookup(NamedTuple):
    """Reads labels off a table of classes.

    table: the labels. places: the name of the value that holds their indices.
    flat: the result is an array of one dimension, else a matrix of one row.
    """

    table: np.ndarray
    places: str
    flat: bool

    def function(self, places: np.ndarray) -> np.ndarray:
        values: np.ndarray = self.table[places.ravel()]
        return values if self.flat else values.reshape(1, -1)


def fold_label_lookup(
    node: NodeProto, constants: dict[str, np.ndarray], lookups: dict[str, Lookup]
) -> Lookup | None:
    """Return a node as a label lookup, or None if it is not a part of one.

    A Cast of looked-up labels is applied once to their table, so it costs nothing per request.
    ``lookups``: the results of earlier nodes that are lookups. skl2onnx ends a classifier with

        ArgMax(probabilities) -> place
        ArrayFeatureExtractor(classes, place) -> label   Lookup(classes, "place", flat=False)
        Cast(label, to=int64) -> whole                   Lookup(whole classes, "place", flat=False)
        Reshape(whole, [-1]) -> output                   Lookup(whole classes, "place", flat=True)
    """
    match node.op_type, list(node.input):
        case "ArrayFeatureExtractor", [table, places] if table in constants:
            return Lookup(constants[table].ravel(), places, flat=False)
        case "Cast", [labels] if labels in lookups:
            lookup = lookups[labels]
            return lookup._replace(table=numpy_function(node, constants)(lookup.table))
        case "Reshape", [labels, shape] if labels in lookups and shape in constants:
            flat = constants[shape].tolist() == [-1]
            return lookups[labels]._replace(flat=True) if flat else None
    return None
