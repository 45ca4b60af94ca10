"""Limits how many requests a worker holds, how many it computes at once, and for how long.

A request is admitted before its body is read, waits a bounded time for a slot, and is computed on a
separate thread, so that its own thread can answer 504 when the deadline passes. A computation can't
be stopped: it keeps its slot until it returns, and liveness fails if it never does (docs/adr/0001).
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from azureml_scoring.errors import DeadlineExceeded, Overloaded
from azureml_scoring.shared.scoreboard import WorkerRow

T = TypeVar("T")


class Admission:
    """Admits requests and computes them in slots. Times in seconds.

    ``row``: the row of the scoreboard that shows this worker's state to other processes.
    """

    def __init__(
        self,
        row: Callable[[], WorkerRow],
        *,
        slots: int,
        max_in_flight: int,
        queue_timeout: float,
        deadline: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._row = row
        self._slots = threading.Semaphore(slots)
        self._slot_count = slots
        self._max_in_flight = max_in_flight
        self._queue_timeout = queue_timeout
        self._deadline = deadline
        self._late_message = f"No answer within {deadline * 1000:.0f} ms."
        self._clock = clock
        self._lock = threading.Lock()
        self._held = 0
        self._place = _Place(self, places=1, requests=1)
        self._ids = itertools.count()
        self._started: dict[int, float] = {}
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix="score")

    @property
    def due(self) -> float:
        """The deadline of a request that arrives now."""
        return self._clock() + self._deadline

    def admit(self) -> _Place:
        """``with admission.admit() as due``: hold a place in flight for a request whose deadline is
        ``due``. Raises Overloaded."""
        return self._place

    def at_once(self, requests: int) -> _Place:
        """``with admission.at_once(2) as due``: count requests that are answered on the event loop.
        They need no places, but are in flight, should the worker die of them."""
        return _Place(self, places=0, requests=requests)

    def enter(self, places: int, requests: int) -> float:
        with self._lock:
            if places and self._held >= self._max_in_flight:
                raise Overloaded(
                    "The service has as many requests as it can hold; retry after the time in "
                    "Retry-After."
                )
            self._held += places
            self._row().in_flight += requests
        return self.due

    def leave(self, places: int, requests: int) -> None:
        with self._lock:
            self._held -= places
            self._row().in_flight -= requests

    def compute(self, score: Callable[[], T], due: float) -> T:
        """Run ``score`` in a slot. Raises what it raises, Overloaded or DeadlineExceeded."""
        left = due - self._clock()
        if left <= 0:
            raise DeadlineExceeded(self._late_message)
        wait = min(self._queue_timeout, left)
        if not self._slots.acquire(timeout=wait):
            raise Overloaded(
                "The request waited too long for its turn; retry after the time in Retry-After."
            )
        try:
            future = self._threads.submit(self._in_slot, score)
        except BaseException:  # the server's SIGALRM may strike anywhere
            self._slots.release()
            raise
        try:
            return future.result(timeout=max(due - self._clock(), 0))
        except TimeoutError:
            raise DeadlineExceeded(self._late_message) from None

    def _in_slot(self, score: Callable[[], T]) -> T:
        identity = next(self._ids)
        self._note(lambda: self._started.update({identity: self._clock()}))
        try:
            return score()
        finally:
            self._note(lambda: self._started.pop(identity))
            self._slots.release()

    def _note(self, change: Callable[[], object]) -> None:
        """Change ``_started``, then publish when the oldest score started and since when all slots
        are taken."""
        with self._lock:
            change()
            row = self._row()
            row.oldest_start = next(iter(self._started.values()), 0.0)
            full = len(self._started) == self._slot_count
            row.full_since = next(reversed(self._started.values())) if full else 0.0


class _Place:
    """A context manager for ``enter`` and ``leave``. As a generator it would cost more than they
    do."""

    def __init__(self, admission: Admission, *, places: int, requests: int) -> None:
        self._admission = admission
        self._counts = places, requests

    def __enter__(self) -> float:
        return self._admission.enter(*self._counts)

    def __exit__(self, *exc_info: object) -> None:
        self._admission.leave(*self._counts)
