"""A worker with one slot and a batcher, for tests of requests that share a predict."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from azureml_scoring.admission.admission import Admission
from azureml_scoring.errors import ModelRefusedInput
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.micro_batching import MicroBatcher
from azureml_scoring.shared.scoreboard import WorkerRow

BAD, BUSY = -1.0, -2.0


class Model:
    """Doubles the first value, refuses a batch with BAD in it, and keeps its batches. BUSY keeps it
    busy until ``release``."""

    predict_jointly: Callable[[Batch], list[Any]] | None = None

    def __init__(self, joint_rows: int = 64) -> None:
        self.joint_rows = joint_rows
        self.calls: list[tuple[str, int]] = []
        self.is_busy, self.release = threading.Event(), threading.Event()

    def predict(self, batch: Batch) -> list[Any]:
        if (batch.X == BUSY).any():
            self.is_busy.set()
            assert self.release.wait(60)
            return [0.0] * len(batch.X)
        self.calls.append((batch.method, len(batch.X)))
        if (batch.X == BAD).any():
            raise ModelRefusedInput("no")
        return (batch.X[:, 0] * 2).tolist()


@dataclass
class Worker:
    """One slot, a batcher and a thread for each request."""

    model: Model
    admission: Admission
    batcher: MicroBatcher
    threads: ThreadPoolExecutor

    def send(
        self,
        *values: float,
        method: str = "predict",
        wanted_for: float = 60.0,
        gone: Callable[[], bool] = lambda: False,
    ) -> Future[list[Any]]:
        """Begin a request with these rows; return once it waits or has ended."""
        due = time.monotonic() + wanted_for
        batch = Batch(np.array([[value] for value in values]), method)
        requests = self.requests
        future = self.threads.submit(self._request, batch, due, gone)
        while self.requests == requests and not future.done() and self.model.is_busy.is_set():
            time.sleep(0.001)
        return future

    def _request(self, batch: Batch, due: float, gone: Callable[[], bool]) -> list[Any]:
        with self.admission.admit(due):
            return self.batcher.predict(self.model, batch, due, gone).values

    @property
    def requests(self) -> int:
        return sum(ticket.requests for ticket in self.admission.slots._queue.waiting)


@contextmanager
def worker(joint_rows: int = 64, max_in_flight: int = 48) -> Iterator[Worker]:
    admission = Admission(
        WorkerRow, slots=1, lend=False, max_in_flight=max_in_flight, objective=60.0, deadline=60.0
    )
    with ThreadPoolExecutor(32) as threads:
        model = Model(joint_rows)
        try:
            yield Worker(model, admission, MicroBatcher(admission.slots), threads)
        finally:
            model.release.set()


@contextmanager
def busy_worker(joint_rows: int = 8) -> Iterator[Worker]:
    """Its slot is taken until ``model.release`` is set."""
    with worker(joint_rows) as one:
        one.send(BUSY)
        assert one.model.is_busy.wait(60)
        yield one


def outcome(future: Future[list[Any]]) -> Any:
    error = future.exception(60)
    return type(error) if error else future.result()
