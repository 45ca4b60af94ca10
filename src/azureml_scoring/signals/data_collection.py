"""Collects a share of the requests, with their predictions, on a thread of its own.

A request puts its data into a bounded list, and the thread hands the list on once a second. If the
list is full, the data is dropped and counted. No failure here reaches a request or ``init()``.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

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


Item = TypeVar("Item")

Sink = Callable[[Sequence[Item]], None]


def collected(outcome: Outcome, at: float) -> Collected | None:
    """Return the data of a request that was answered with predictions."""
    if outcome.batch is None or outcome.error:
        return None
    return Collected(at, outcome.request_id, outcome.batch, outcome.predictions)


class DataCollection(Generic[Item]):
    """A hook for ``Service`` that collects ``share`` of the requests.

    ``open_sink`` is called once, on the thread that then calls the sink. ``item``: what to collect
    of a request, None for nothing. ``most``: of each second, the first ones. ``drop`` is called for
    each request that is left out although it should not be.
    """

    def __init__(
        self,
        open_sink: Callable[[], Sink[Item]],
        item: Callable[[Outcome, float], Item | None],
        *,
        share: float = 1.0,
        most: float = math.inf,
        drop: Callable[[], None] = lambda: None,
        lot: Callable[[], float] = random.random,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._open = open_sink
        self._item = item
        self._share = share
        self._most = most
        self._drop = drop
        self._lot = lot
        self._now = now
        self._lock = threading.Lock()
        self._waiting: list[Item] = []
        self._size = 0
        self._closed = False
        self._thread: threading.Thread | None = None
        self._logged: set[str] = set()

    def __call__(self, outcome: Outcome) -> None:
        if len(self._waiting) >= self._most or (self._share < 1 and self._lot() >= self._share):
            return
        if (item := self._item(outcome, self._now())) is None:
            return
        values = 0 if outcome.batch is None else outcome.batch.X.size
        size = REQUEST_BYTES + VALUE_BYTES * values + outcome.bytes_in + len(outcome.predictions)
        with self._lock:
            if self._thread is None:  # started here, since threads do not survive a fork
                self._thread = threading.Thread(
                    target=self._run, name="data-collection", daemon=True
                )
                self._thread.start()
            closed = self._closed
            fits = not closed and self._size + size <= MAX_WAITING_BYTES
            if fits:
                self._waiting.append(item)
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

    def _take_waiting(self) -> Sequence[Item]:
        with self._lock:
            requests, self._waiting, self._size = self._waiting, [], 0
        return requests

    def _drop_all(self, requests: Sequence[Item]) -> None:
        with self._lock:
            for _ in requests:
                self._drop()

    def _hand_over(self, sink: Sink[Item], requests: Sequence[Item]) -> None:
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
