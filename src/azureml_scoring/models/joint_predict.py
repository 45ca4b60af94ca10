"""Predicts the single rows of several requests in one call.

For one row a call costs several times what the arithmetic does. Nothing waits for more rows: they
belong to requests that have arrived. A row's answer is the same as if it were alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from azureml_scoring.inputs.batch import Batch

Each = Callable[[Sequence[Batch]], list[list[Any]]]
"""Predicts batches of one row each; the answers are the same to the last bit as one by one."""


class JointPredict:
    """The rows of one turn and one model. All are added before the first is predicted."""

    def __init__(self) -> None:
        self._batches: list[Batch] = []
        self._answers: list[list[Any]] = []

    def add(self, each: Each, batch: Batch) -> Callable[[Batch], list[Any]]:
        """Return a function that predicts this batch; the first one called computes all."""
        place = len(self._batches)
        self._batches.append(batch)

        def predict(_: Batch) -> list[Any]:
            if not self._answers:
                self._answers = each(self._batches)
            return self._answers[place]

        return predict
