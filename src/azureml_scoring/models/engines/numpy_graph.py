"""Computes an ONNX graph of few dense operations, such as a linear model's, or of trees with numpy.

For one row ONNX Runtime's call costs several times what a linear model's arithmetic does, above all
within a request; for many rows it is slow at large forests (docs/adr/0016). ONNX Runtime computes a
graph with any other operation, and one that packaging did not prove to give the same answers here.
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
from azureml_scoring.models.engines.onnx_reader import read_graph, to_array
from azureml_scoring.models.engines.tree_operations import TREES, tree_steps

if TYPE_CHECKING:
    from onnx import GraphProto

MAX_NODES = 32
"""In larger graphs ONNX Runtime's call is no longer the main cost."""


class NumpyGraph:
    """Works like ``onnxruntime.InferenceSession``: ``run([output], {input: X})`` -> [array]."""

    def __init__(self, graph: GraphProto) -> None:
        """Raises NotImplementedError if the graph is large or has an operation not known here."""
        if len(graph.node) > MAX_NODES:
            raise NotImplementedError("a large graph")
        constants = {constant.name: to_array(constant) for constant in graph.initializer}
        place = {name: number for number, name in enumerate([graph.input[0].name, *constants])}
        steps, lookups = [], dict[str, Lookup]()
        for node in graph.node:
            if node.op_type in TREES:
                for function, source, result in tree_steps(node):
                    steps.append(_Step(function, [place[source]], len(place)))
                    place[result] = len(place)
                continue
            result = node.output[0]
            if lookup := fold_label_lookup(node, constants, lookups):
                lookups[result], function, names = lookup, lookup.function, [lookup.places]
            else:
                function, names = numpy_function(node, constants), node.input
            steps.append(_Step(function, [place[name] for name in names], len(place)))
            place[result] = len(place)
        self._blank: list[Any] = [None, *map(_wide, constants.values()), *[None] * len(steps)]
        self._programs = {
            output.name: _program(place[output.name], steps) for output in graph.output
        }
        self._programs_by_row = {
            output: [
                (BY_ROW.get(function, function), arguments, result)
                for function, arguments, result in program
            ]
            for output, program in self._programs.items()
        }

    @classmethod
    def of(cls, model: bytes) -> NumpyGraph | None:
        """Return the graph, or None if ONNX Runtime must compute it."""
        try:
            return cls(read_graph(model))
        except NotImplementedError:
            return None

    def run(self, outputs: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Compute one output from one input."""
        (output,), (X,) = outputs, inputs.values()
        return [self._compute(X, self._programs[output])]

    def each_row(self, output: str, X: np.ndarray) -> np.ndarray:
        """Compute each row with the same bits as alone, which a matrix product doesn't promise."""
        return self._compute(X, self._programs_by_row[output])

    def _compute(self, X: np.ndarray, program: Program) -> np.ndarray:
        values = self._blank.copy()
        values[0] = X
        for function, arguments, result in program:
            values[result] = function(*arguments(values))
        answers: np.ndarray = values[result]
        return answers


class _Step(NamedTuple):
    """``function`` computes the value at ``result`` from those at ``inputs``, by their places."""

    function: Function
    inputs: list[int]
    result: int


Program = list[tuple[Function, Callable[[list[Any]], Sequence[np.ndarray]], int]]


def _program(result: int, steps: list[_Step]) -> Program:
    """Return the steps that lead to a result, each with a function that picks its arguments."""
    program: Program = []
    needed = {result}
    for step in reversed(steps):
        if step.result in needed:
            needed |= set(step.inputs)
            first, *more = step.inputs
            arguments = itemgetter(first, *more) if more else itemgetter(slice(first, first + 1))
            program.insert(0, (step.function, arguments, step.result))
    return program


def _wide(constant: np.ndarray) -> np.ndarray:
    """Return a vector as a matrix of one row: numpy adds it to a matrix in half the time."""
    return constant.reshape(1, -1) if constant.ndim == 1 else constant
