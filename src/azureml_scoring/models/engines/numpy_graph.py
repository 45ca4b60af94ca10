"""An ONNX graph of few dense operations, as linear models have, computed by numpy.

For one row ONNX Runtime's call costs several times what the arithmetic does, above all within a
request (docs/adr/0006). A graph with anything else in it is ONNX Runtime's, and so is one that
packaging did not prove to be computed alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from azureml_scoring.models.engines.numpy_operations import (
    BY_ROW,
    Function,
    Lookup,
    fold_label_lookup,
    numpy_function,
)

if TYPE_CHECKING:
    from onnx import GraphProto

MAX_NODES = 32
"""Beyond, ONNX Runtime's call is no longer what costs."""


class NumpyGraph:
    """Is asked as ``onnxruntime.InferenceSession`` is: ``run([output], {input: X})`` -> [array]."""

    def __init__(self, graph: GraphProto) -> None:
        """Raises NotImplementedError where the graph holds what is not known here."""
        from onnx import numpy_helper

        if len(graph.node) > MAX_NODES:
            raise NotImplementedError("a large graph")
        constants = {
            constant.name: numpy_helper.to_array(constant) for constant in graph.initializer
        }
        place = {name: number for number, name in enumerate([graph.input[0].name, *constants])}
        steps, lookups = [], dict[str, Lookup]()
        for node in graph.node:
            result = node.output[0]
            if found := fold_label_lookup(node, constants, lookups):
                lookups[result], function, names = found, found.function, [found.places]
            else:
                function, names = numpy_function(node, constants), node.input
            steps.append(_Step(function, [place[name] for name in names], len(place)))
            place[result] = len(place)
        self._blank: list[Any] = [None, *map(_wide, constants.values()), *[None] * len(steps)]
        self._plans = {output.name: _plan(place[output.name], steps) for output in graph.output}
        self._plans_by_row = {
            output: [
                (BY_ROW.get(function, function), arguments, result)
                for function, arguments, result in plan
            ]
            for output, plan in self._plans.items()
        }

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
        return [self._compute(X, self._plans[output])]

    def each_row(self, output: str, X: np.ndarray) -> np.ndarray:
        """Each to the last bit as if it were alone, which a product of matrices doesn't promise."""
        return self._compute(X, self._plans_by_row[output])

    def _compute(self, X: np.ndarray, plan: Program) -> np.ndarray:
        values = self._blank.copy()
        values[0] = X
        for function, arguments, result in plan:
            values[result] = function(*arguments(values))
        answers: np.ndarray = values[result]
        return answers


class _Step(NamedTuple):
    """``function`` of some values gives another one; they go by their places."""

    function: Function
    inputs: list[int]
    result: int


Program = list[tuple[Function, Callable[[list[Any]], Sequence[np.ndarray]], int]]


def _plan(result: int, steps: list[_Step]) -> Program:
    """The steps that lead to a result, each with what picks its arguments."""
    plan: Program = []
    wanted = {result}
    for step in reversed(steps):
        if step.result in wanted:
            wanted |= set(step.inputs)
            first, *more = step.inputs
            arguments = itemgetter(first, *more) if more else itemgetter(slice(first, first + 1))
            plan.insert(0, (step.function, arguments, step.result))
    return plan


def _wide(constant: np.ndarray) -> np.ndarray:
    """A vector as a matrix of one row: numpy adds that to another one in half the time."""
    return constant.reshape(1, -1) if constant.ndim == 1 else constant
