"""Which output of an ONNX graph by itself answers which method of scikit-learn's estimators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from azureml_scoring.errors import StartupError

METHODS_BY_NAME = {
    "decision_function": "decision_function",
    "output_probability": "predict_proba",
    "probabilities": "predict_proba",
    "probability": "predict_proba",
    "score_samples": "score_samples",
    "scores": "decision_function",
}
"""Names that converters give to outputs -> the method that they answer, where there are several."""

LABEL_NAMES = ("label", "output_label")
LABEL_TYPES = ("tensor(int", "tensor(uint", "tensor(string", "tensor(bool")
NUMBER_TYPES = ("tensor(float)", "tensor(double)", "tensor(float16)")
MAP_TYPES = ("seq(map(int64,tensor(float)))", "seq(map(string,tensor(float)))")
"""What ZipMap makes of probabilities: for each row the class and its probability."""

MAX_ROUNDING = 1e-3
"""Probabilities of one row may add up to so much more or less than 1."""


@dataclass(frozen=True)
class GraphOutput:
    """One output. ``flat``: an answer of one number is no list."""

    name: str
    maps: bool
    flat: bool

    def answers(self, value: Any) -> np.ndarray:
        """Return (rows,) or (rows, numbers) of what ``InferenceSession.run`` returned."""
        if self.maps:
            return np.array([[*row.values()] for row in value], dtype=np.float64)
        array = np.asarray(value)
        return array[:, 0] if self.flat and array.ndim == 2 and array.shape[1] == 1 else array


def methods(
    nodes: Sequence[Any], file: str, are_probabilities: Callable[[GraphOutput], bool]
) -> dict[str, GraphOutput]:
    """Return method -> output. ``nodes``: ``InferenceSession.get_outputs()``.

    Outputs that are neither a label nor numbers for each row are left out. Raises StartupError if
    it is not plain what the graph predicts.
    """
    labels = [node for node in nodes if node.type.startswith(LABEL_TYPES) and _is_table(node)]
    scores = [node for node in nodes if node.type in MAP_TYPES or _is_numbers(node)]
    if len(labels) > 1:
        labels = [node for node in labels if node.name in LABEL_NAMES]
    if len(labels) == 1:
        return {"predict": _output(labels[0], flat=True)} | _scores(scores, are_probabilities)
    if len(scores) == 1 and not labels:
        (score,) = scores
        if score.type in MAP_TYPES or METHODS_BY_NAME.get(score.name) == "predict_proba":
            return _scores(scores, are_probabilities)
        return {"predict": _output(score, flat=True)}
    names = ", ".join(f"{node.name} ({node.type})" for node in nodes)
    raise StartupError(
        f"{file} does not say which of its outputs is the prediction: it has {names}; keep the one "
        f"to serve, or a label and its probabilities, by onnx.utils.extract_model()."
    )


def add_up_to_one(probabilities: np.ndarray) -> bool:
    """Return whether each row is one of probabilities of several classes."""
    return (
        probabilities.ndim == 2
        and probabilities.shape[1] > 1
        and bool((probabilities >= 0).all())
        and bool((np.abs(probabilities.sum(axis=1) - 1) < MAX_ROUNDING).all())
    )


def _scores(
    nodes: Sequence[Any], are_probabilities: Callable[[GraphOutput], bool]
) -> dict[str, GraphOutput]:
    """Return the methods of what stands beside a label."""
    if len(nodes) == 1:
        output = _output(nodes[0], flat=False)
        if are_probabilities(output):
            return {"predict_proba": output}
        return {"decision_function": _output(nodes[0], flat=True)}
    named = {METHODS_BY_NAME[node.name]: node for node in nodes if node.name in METHODS_BY_NAME}
    return {method: _output(node, flat=method != "predict_proba") for method, node in named.items()}


def _output(node: Any, *, flat: bool) -> GraphOutput:
    return GraphOutput(node.name, node.type in MAP_TYPES, flat)


def _is_numbers(node: Any) -> bool:
    return node.type in NUMBER_TYPES and _is_table(node)


def _is_table(node: Any) -> bool:
    return len(node.shape) <= 2
