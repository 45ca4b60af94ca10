"""A compiled model's entry in the manifest."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from azureml_scoring.errors import StartupError
from azureml_scoring.models.engines.race import Race

INPUT_NAME = "X"

MIN_COMPARED_ANSWERS = 1_000
"""Packaging must have compared this many answers; fewer prove nothing."""

MAX_MAGNITUDE = {"float32": float(np.finfo(np.float32).max), "float64": 1e100}
"""The largest number a dtype takes, either side of zero: float32 can't hold more, and float64 was
tried up to this."""

ANY_ROWS = range(1, sys.maxsize)


@dataclass(frozen=True)
class OnnxModel:
    """The compiled model's entry in the manifest.

    file: the graph, beside the manifest.
    dtype: the floats that the graph takes.
    outputs: method -> the graph's output.
    labels: the classes' names, where ``predict`` is read off the probabilities; else None.
    flat: an answer is a number, not a list.
    missing: rows with NaN are proven too.
    parity: how many rows were compared, and how far apart the answers were.
    numpy, booster: answers computed by numpy, and by the booster's own library, are proven too.
    largest: the largest number it is proven for, either side of zero; None in older manifests.
    tables: the file that says how a mixed batch becomes the graph's floats; None for numbers.
    race: which engine answers; None in older manifests.

    ``predict_log_proba`` is the logarithm of its output, and so is a ``decision_function`` of the
    probabilities' output: the logarithm of their odds.
    """

    file: str
    dtype: Literal["float32", "float64"]
    outputs: dict[str, str]
    labels: list[Any] | None
    flat: bool
    missing: bool
    parity: dict[str, Any]
    numpy: bool = False
    largest: float | None = None
    tables: str | None = None
    booster: bool = False
    race: Race | None = None

    @property
    def logarithms(self) -> frozenset[str]:
        """The methods whose answers are logarithms of an output. Those of small probabilities are
        left to the estimator."""
        odds = "decision_function"
        shared = self.outputs.get(odds) == self.outputs.get("predict_proba")
        return frozenset(self.outputs) & {"predict_log_proba", odds if shared else ""}


def check_compared(model: OnnxModel) -> None:
    """Raise StartupError if too few answers were compared, as older versions allowed."""
    rows = model.parity["rows"]
    if rows < MIN_COMPARED_ANSWERS:
        raise StartupError(
            f"{model.file} was compared with its estimator on {rows:,} answers only, fewer than "
            f"{MIN_COMPARED_ANSWERS:,}; package the model again with `mlops package`."
        )
