"""The single rows of a turn's requests, predicted in one call.

For one row a call costs several times what the arithmetic does. Nothing waits for more rows to
come: they are those of requests that are there. Whether a row was alone can't be told from its
answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from azureml_scoring.inputs.batch import Batch

Each = Callable[[Sequence[Batch]], list[list[Any]]]
"""Batches of one row -> the answers to each, to the last bit as if it were alone."""


class JointPredict:
    """Of one turn and one model: all rows are added before an answer is asked for."""

    def __init__(self) -> None:
        self._batches: list[Batch] = []
        self._answers: list[list[Any]] = []

    def add(self, each: Each, batch: Batch) -> Callable[[Batch], list[Any]]:
        """What gives the answers to this batch; the first one that is asked computes all."""
        place = len(self._batches)
        self._batches.append(batch)

        def predict(_: Batch) -> list[Any]:
            if not self._answers:
                self._answers = each(self._batches)
            return self._answers[place]

        return predict
