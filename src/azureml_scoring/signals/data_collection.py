"""A share of the requests, with what was predicted, for whoever wants to look at them: off their
way.

A request leaves what it has in a bounded list, and a thread hands it on once a second. What finds
the list full is dropped and counted, and nothing that fails here reaches a request or ``init()``.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from azureml_scoring import log
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.request import Outcome

CAPACITY = 32_000_000
"""Bytes that wait to be handed on, about: a million numbers."""

A_VALUE, A_REQUEST = 32, 1000
"""Bytes, beside the texts: of a value as an object, and of all else that is kept of a request."""

EVERY = 1.0
"""Seconds. Waking a thread for each request would hold up the others more than all else here."""


class Collected(NamedTuple):
    """``at``: seconds since the epoch; ``predictions``: as JSON."""

    at: float
    request_id: str
    batch: Batch
    predictions: bytes


Sink = Callable[[Sequence[Collected]], None]


class DataCollection:
    """A hook of the service.

    ``open_sink`` is called once, on the thread that then calls what it returns. ``share``: of the
    requests. ``drop`` is told of each that was left out.
    """

    def __init__(
        self,
        open_sink: Callable[[], Sink],
        *,
        share: float = 1.0,
        drop: Callable[[], None] = lambda: None,
        lot: Callable[[], float] = random.random,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._open = open_sink
        self._share = share
        self._drop = drop
        self._lot = lot
        self._now = now
        self._lock = threading.Lock()
        self._waiting: list[Collected] = []
        self._size = 0
        self._closed = False
        self._thread: threading.Thread | None = None
        self._told: set[str] = set()

    def __call__(self, outcome: Outcome) -> None:
        batch, predictions = outcome.batch, outcome.predictions
        if batch is None or predictions is None or (self._share < 1 and self._lot() >= self._share):
            return
        size = A_REQUEST + A_VALUE * batch.X.size + outcome.bytes_in + len(predictions)
        with self._lock:
            if (
                self._thread is None
            ):  # not before: a worker that is forked has no threads from before
                self._thread = threading.Thread(
                    target=self._run, name="data-collection", daemon=True
                )
                self._thread.start()
            closed = self._closed
            fits = not closed and self._size + size <= CAPACITY
            if fits:
                self._waiting.append(Collected(self._now(), outcome.request_id, batch, predictions))
                self._size += size
            else:
                self._drop()
        if not fits and not closed:
            self._tell("Requests come faster than their data can be collected; some are left out.")

    def _run(self) -> None:
        try:
            sink = self._open()
        except Exception as error:
            self._closed = True
            self._left_out(self._taken())
            return self._tell(f"Data can't be collected ({type(error).__name__}: {error}).")
        while True:
            time.sleep(EVERY)
            if taken := self._taken():
                self._hand_over(sink, taken)

    def _taken(self) -> Sequence[Collected]:
        with self._lock:
            taken, self._waiting, self._size = self._waiting, [], 0
        return taken

    def _left_out(self, taken: Sequence[Collected]) -> None:
        with self._lock:
            for _ in taken:
                self._drop()

    def _hand_over(self, sink: Sink, taken: Sequence[Collected]) -> None:
        try:
            sink(taken)
        except Exception as error:
            self._left_out(taken)
            self._tell(
                f"The data of some requests could not be collected ({type(error).__name__})."
            )

    def _tell(self, message: str) -> None:
        """Once: it may be so for each request."""
        if message not in self._told:
            self._told.add(message)
            log.event(message, logging.WARNING)
