"""Collects a share of the requests, with their predictions, on a thread of its own.

A request puts its data into a bounded list, and the thread hands the list on once a second. If the
list is full, the data is dropped and counted. No failure here reaches a request or ``init()``.
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

MAX_WAITING_BYTES = 32_000_000
"""About a million numbers."""

VALUE_BYTES, REQUEST_BYTES = 32, 1000
"""Memory of a value as an object, and of the rest of a request; texts come on top."""

HAND_OVER_INTERVAL_S = 1.0
"""Waking the thread for each request would hold up the others more than all else here."""


class Collected(NamedTuple):
    """The data of one request. ``at``: seconds since the epoch; ``predictions``: JSON."""

    at: float
    request_id: str
    batch: Batch
    predictions: bytes


Sink = Callable[[Sequence[Collected]], None]


class DataCollection:
    """A hook for ``Service`` that collects ``share`` of the requests.

    ``open_sink`` is called once, on the thread that then calls the sink. ``drop`` is called for
    each request that is left out.
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
        self._logged: set[str] = set()

    def __call__(self, outcome: Outcome) -> None:
        batch, predictions = outcome.batch, outcome.predictions
        if batch is None or outcome.error or (self._share < 1 and self._lot() >= self._share):
            return
        size = REQUEST_BYTES + VALUE_BYTES * batch.X.size + outcome.bytes_in + len(predictions)
        with self._lock:
            if self._thread is None:  # started here, since threads do not survive a fork
                self._thread = threading.Thread(
                    target=self._run, name="data-collection", daemon=True
                )
                self._thread.start()
            closed = self._closed
            fits = not closed and self._size + size <= MAX_WAITING_BYTES
            if fits:
                self._waiting.append(Collected(self._now(), outcome.request_id, batch, predictions))
                self._size += size
            else:
                self._drop()
        if not fits and not closed:
            self._log("Requests come faster than their data can be collected; some are left out.")

    def _run(self) -> None:
        try:
            sink = self._open()
        except Exception as error:
            self._closed = True
            self._drop_all(self._take_waiting())
            return self._log(f"Data can't be collected ({type(error).__name__}: {error}).")
        while True:
            time.sleep(HAND_OVER_INTERVAL_S)
            if requests := self._take_waiting():
                self._hand_over(sink, requests)

    def _take_waiting(self) -> Sequence[Collected]:
        with self._lock:
            requests, self._waiting, self._size = self._waiting, [], 0
        return requests

    def _drop_all(self, requests: Sequence[Collected]) -> None:
        with self._lock:
            for _ in requests:
                self._drop()

    def _hand_over(self, sink: Sink, requests: Sequence[Collected]) -> None:
        try:
            sink(requests)
        except Exception as error:
            self._drop_all(requests)
            self._log(f"The data of some requests could not be collected ({type(error).__name__}).")

    def _log(self, message: str) -> None:
        """Log a message once, even if it is true of every request."""
        if message not in self._logged:
            self._logged.add(message)
            log.event(message, logging.WARNING)
