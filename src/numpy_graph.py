"""An ONNX graph of few dense operations, as linear models have, computed by numpy.

For one row ONNX Runtime's call costs several times what the arithmetic does, above all within a request
(docs/adr/0006). A graph with anything else in it is ONNX Runtime's, and so is one that packaging
did not prove to be computed alike.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.special import expit

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

# An answer that is not finite says enough. ``numpy.errstate`` around each would cost a fifth of what it is around.
warnings.filterwarnings("ignore", r"(overflow|invalid value|divide by zero) encountered", RuntimeWarning, __name__)

Function = Callable[..., np.ndarray]

MOST_NODES = 32
"""Beyond, ONNX Runtime's call is no longer what costs."""


class NumpyGraph:
    """Is asked as ``onnxruntime.InferenceSession`` is: ``run([output], {input: X})`` -> [array]."""

    def __init__(self, graph: GraphProto) -> None:
        """Raises NotImplementedError where the graph holds what is not known here."""
        from onnx import numpy_helper

        if len(graph.node) > MOST_NODES:
            raise NotImplementedError("a large graph")
        constants = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
        place = {name: number for number, name in enumerate([graph.input[0].name, *constants])}
        steps = []
        for node in graph.node:
            function, inputs = _function(node, constants), [place[name] for name in node.input]
            place[node.output[0]] = len(place)
            steps.append(_Step(function, inputs, place[node.output[0]]))
        self._blank: list[Any] = [None, *map(_wide, constants.values()), *[None] * len(steps)]
        self._plans = {output.name: _plan(place[output.name], steps) for output in graph.output}

    @classmethod
    def of(cls, model: bytes) -> NumpyGraph | None:
        """None where ONNX Runtime is to compute it."""
        import onnx

        try:
            return cls(onnx.load_from_string(model).graph)
        except NotImplementedError:
            return None

    def run(self, outputs: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        """One of each."""
        (output,), (X,) = outputs, inputs.values()
        values = self._blank.copy()
        values[0] = X
        for function, arguments, result in self._plans[output]:
            values[result] = function(*arguments(values))
        return [values[result]]


class _Step(NamedTuple):
    """``function`` of some values gives another one; they go by their places."""

    function: Function
    inputs: list[int]
    result: int


Plan = list[tuple[Function, Callable[[list[Any]], Sequence[np.ndarray]], int]]


def _plan(result: int, steps: list[_Step]) -> Plan:
    """The steps that lead to a result, each with what picks its arguments."""
    plan: Plan = []
    wanted = {result}
    for step in reversed(steps):
        if step.result in wanted:
            wanted |= set(step.inputs)
            first, *more = step.inputs
            arguments = itemgetter(first, *more) if more else itemgetter(slice(first, first + 1))
            plan.insert(0, (step.function, arguments, step.result))
    return plan


PLAIN: dict[str, Function] = {
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


def _function(node: NodeProto, constants: dict[str, np.ndarray]) -> Function:  # noqa: PLR0911 one for each kind
    """Of the node's inputs. Raises NotImplementedError."""
    from onnx.helper import get_attribute_value, tensor_dtype_to_np_dtype

    attributes = {attribute.name: get_attribute_value(attribute) for attribute in node.attribute}
    axis, keep = attributes.get("axis"), bool(attributes.get("keepdims", 1))
    known = [constants.get(name) for name in node.input]
    second = known[1].ravel().tolist() if len(known) == 2 and known[1] is not None else []
    match node.op_type:
        case kind if kind in PLAIN and not attributes:
            return PLAIN[kind]
        case "ArgMax" if not attributes.get("select_last_index"):
            return lambda x: x.argmax(axis=axis or 0, keepdims=keep)
        case "ArrayFeatureExtractor" if known[0] is not None:
            return lambda x, places: x.take(places.reshape(1, -1))
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


def _wide(constant: np.ndarray) -> np.ndarray:
    """A vector as a matrix of one row: numpy adds that to another one in half the time."""
    return constant.reshape(1, -1) if constant.ndim == 1 else constant


def _softmax(x: np.ndarray, axis: int) -> np.ndarray:
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    weights: np.ndarray = powers / powers.sum(axis=axis, keepdims=True)
    return weights
