"""A share of the requests, with what was predicted, for whoever wants to look at them: off their way.

A request leaves what it has in a bounded list, and a thread hands it on once a second. What finds the list full is
dropped and counted, and nothing that fails here reaches a request or ``init()``.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import telemetry
from service import Outcome
from validation import Batch

CAPACITY = 1_000_000
"""Values that wait to be handed on: 8 MB of numbers."""

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

    ``open_sink`` is called once, on the thread that then calls what it returns. ``share``: of the requests. ``drop``
    is told of each that was left out.
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
        self._values = 0
        self._capacity = CAPACITY
        self._thread: threading.Thread | None = None
        self._told: set[str] = set()

    def __call__(self, outcome: Outcome) -> None:
        batch, predictions = outcome.batch, outcome.predictions
        if batch is None or predictions is None or (self._share < 1 and self._lot() >= self._share):
            return
        with self._lock:
            if self._thread is None:  # not before: a worker that is forked has no threads from before
                self._thread = threading.Thread(target=self._run, name="data-collection", daemon=True)
                self._thread.start()
            fits = self._values + batch.X.size <= self._capacity
            if fits:
                self._waiting.append(Collected(self._now(), outcome.request_id, batch, predictions))
                self._values += batch.X.size
            else:
                self._drop()
        if not fits and self._capacity:
            self._tell("Requests come faster than their data can be collected; some are left out.")

    def _run(self) -> None:
        try:
            sink = self._open()
        except Exception as error:
            self._tell(f"Data can't be collected ({type(error).__name__}: {error}).")
            with self._lock:
                self._waiting, self._capacity = [], 0
            return
        while True:
            time.sleep(EVERY)
            with self._lock:
                taken, self._waiting, self._values = self._waiting, [], 0
            if taken:
                self._hand_over(sink, taken)

    def _hand_over(self, sink: Sink, taken: Sequence[Collected]) -> None:
        try:
            sink(taken)
        except Exception as error:
            self._tell(f"The data of some requests could not be collected ({type(error).__name__}).")

    def _tell(self, message: str) -> None:
        """Once: it may be so for each request."""
        if message not in self._told:
            self._told.add(message)
            telemetry.event(message, logging.WARNING)
