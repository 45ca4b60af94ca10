"""Predicts the single rows of several requests in one call.

For one row a call costs several times what the arithmetic does. Nothing waits for more rows: they
belong to requests that have arrived. A row's answer is the same as if it were alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from azureml_scoring.inputs.batch import Batch

Inline = Callable[[Batch], list[Any]]
"""Predicts a batch on the event loop: what ``Model.quick`` returned for it."""

Each = Callable[[Sequence[tuple[Inline, Batch]]], list[list[Any]]]
"""Predicts batches of one row each; the answers are the same to the last bit as one by one."""


class JointPredict:
    """The rows of one turn and one model. All are added before the first is predicted."""

    def __init__(self) -> None:
        self._rows: list[tuple[Inline, Batch]] = []
        self._answers: list[list[Any]] | None = None

    def add(self, each: Each, inline: Inline, batch: Batch) -> Inline:
        """Return a function that predicts this batch; the first one called computes all. If that
        fails, each is predicted by itself."""
        place = len(self._rows)
        self._rows.append((inline, batch))

        def predict(_: Batch) -> list[Any]:
            if self._answers is None:
                try:
                    self._answers = each(self._rows)
                except Exception:  # one by one, each fails by itself
                    self._answers = []
            return self._answers[place] if self._answers else inline(batch)

        return predict
