"""Joins requests in flight into one ``predict``, if one row takes a model as long as many.

The first request of a batch waits a little for others, computes for all, and hands each its rows.
A joined request gets the same answer as a single one: if the joint computation fails, each request
computes for itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np

from azureml_scoring.admission.service_times import WorkKind
from azureml_scoring.errors import DeadlineExceeded, ModelFailed, ModelRefusedInput
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.model import Predict

RunInSlot = Callable[[Callable[[], list[Any]], WorkKind, float], list[Any]]
"""Runs a score in a slot before its deadline, and returns the answers."""


class MicroBatcher:
    """Joins the batches of concurrent requests.

    ``window``: seconds to wait for more requests. ``max_rows``: rows of a joint batch.
    """

    def __init__(
        self,
        compute: RunInSlot,
        *,
        window: float,
        max_rows: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._compute = compute
        self._window = window
        self._max_rows = max_rows
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, _Joint] = {}

    def predict(self, predict: Predict, batch: Batch, due: float) -> list[Any]:
        """Answer ``batch``, joined with others of its method. Raises what ``predict`` raises."""
        joint, place = self._join(batch)
        if place == 0:
            self._lead(joint, batch.method, predict, due)
        try:
            answers = joint.answers[place].result(timeout=max(due - self._clock(), 0))
        except TimeoutError:
            raise DeadlineExceeded("No answer of the joint computation in time.") from None
        if answers is not None:
            return answers
        return self._compute(lambda: predict(batch), WorkKind.of(batch.method, len(batch.X)), due)

    def _join(self, batch: Batch) -> tuple[_Joint, int]:
        rows = len(batch.X)
        with self._lock:
            joint = self._open.get(batch.method)
            if joint is None or joint.rows + rows > self._max_rows:
                if joint is not None:
                    joint.full.set()
                joint = self._open[batch.method] = _Joint()
            place = joint.add(batch)
            if joint.rows >= self._max_rows:
                joint.full.set()
        return joint, place

    def _lead(self, joint: _Joint, method: str, predict: Predict, due: float) -> None:
        joint.full.wait(min(self._window, max(due - self._clock(), 0) / 2))
        with self._lock:
            if self._open.get(method) is joint:
                del self._open[method]
        try:
            joint.share(
                self._compute(
                    lambda: predict(joint.whole(method)), WorkKind.of(method, joint.rows), due
                )
            )
        except (ModelFailed, ModelRefusedInput) as error:
            joint.give_up(error if len(joint.batches) == 1 else None)
        except BaseException as error:
            joint.give_up(error)


class _Joint:
    """Batches that are computed as one. An answer of None means: compute it yourself."""

    def __init__(self) -> None:
        self.batches: list[np.ndarray] = []
        self.answers: list[Future[list[Any] | None]] = []
        self.rows = 0
        self.full = threading.Event()

    def add(self, batch: Batch) -> int:
        self.batches.append(batch.X)
        self.answers.append(Future())
        self.rows += len(batch.X)
        return len(self.batches) - 1

    def whole(self, method: str) -> Batch:
        return Batch(
            self.batches[0] if len(self.batches) == 1 else np.concatenate(self.batches), method
        )

    def share(self, answers: list[Any]) -> None:
        start = 0
        for X, future in zip(self.batches, self.answers, strict=True):
            future.set_result(answers[start : start + len(X)])
            start += len(X)

    def give_up(self, error: BaseException | None) -> None:
        for future in self.answers:
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
