"""Admits the requests of a worker, for as long as they are wanted.

A request is judged before its body is read, and computed in one of the worker's slots. One that is
answered on the event loop needs none.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from azureml_scoring.admission.score_slots import ScoreSlots
from azureml_scoring.admission.wait_limit import WaitLimit
from azureml_scoring.errors import Overloaded
from azureml_scoring.shared.scoreboard import WorkerRow

PUBLISH_INTERVAL_S = 0.05
"""At most so much of the offered work is not published yet."""


class Admission:
    """Admits requests. Times in seconds, by the monotonic clock.

    ``row``: the row of the scoreboard that shows this worker's state to other processes.
    ``deadline``: of a request without its own. The rest: see ``ScoreSlots``.
    """

    def __init__(
        self,
        row: Callable[[], WorkerRow],
        *,
        slots: int,
        lend: bool = True,
        max_in_flight: int,
        objective: float,
        deadline: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.slots = ScoreSlots(
            row,
            slots=slots,
            lend=lend,
            max_requests=max_in_flight,
            objective=objective,
            clock=clock,
        )
        self._row = row
        self._deadline = deadline
        self._clock = clock
        self._lock = threading.Lock()
        self._unpublished_s, self._published_at = 0.0, -math.inf

    def new_limit(self) -> WaitLimit:
        """Return the limit of the wait in one more queue."""
        return WaitLimit(self.slots.objective)

    def due(self, started: float | None = None, wanted_for: float | None = None) -> float:
        """Return the deadline of a request.

        ``started``: when its first byte came; now, if it is not known. ``wanted_for``: how long the
        caller waits, which can only shorten the deadline.
        """
        allowed = self._deadline if wanted_for is None else min(self._deadline, wanted_for)
        return (self._clock() if started is None else started) + allowed

    def admit(self, due: float | None = None) -> PlaceInFlight:
        """``with admission.admit(due) as due``: hold a place in flight. Entering raises
        Overloaded."""
        return PlaceInFlight(self, self.due() if due is None else due)

    def at_once(self, requests: int, began: float | None = None) -> InlinePlace:
        """``with admission.at_once(2) as due``: count requests that are answered on the event loop.
        They need no places, but are in flight, should the worker die of them. ``began``: when the
        loop began with the first; now, if it is not known."""
        return InlinePlace(self, requests, self._clock() if began is None else began)

    def turn_away(self, due: float) -> Overloaded | None:
        """Return why a request is refused, before its body is read; None if it may ``enter``."""
        error = self.slots.turn_away(due)
        if error:
            with self._lock:
                self._offer(self._clock(), self.slots.slot_s)
        return error

    def enter(self, due: float) -> None:
        self._arrive(due)
        with self._lock:
            self._row().in_flight += 1

    def _arrive(self, due: float) -> None:
        with self._lock:
            self._offer(self._clock(), self.slots.slot_s)
        self.slots.arrive(due)

    def _offer(self, now: float, slot_s: float) -> None:
        """Count work that arrives. It is published now and then, as writing into shared memory
        takes a quick request's time."""
        self._unpublished_s += slot_s
        if now - self._published_at >= PUBLISH_INTERVAL_S:
            row = self._row().admission
            row.offer(now, self._unpublished_s)
            row.slots, row.shedding = self.slots.count, self.slots.shedding
            self._unpublished_s, self._published_at = 0.0, now

    def leave(self) -> None:
        self.slots.leave()
        with self._lock:
            self._row().in_flight -= 1

    def enter_inline(self, requests: int) -> None:
        with self._lock:
            self._row().in_flight += requests

    def leave_inline(self, requests: int, began: float) -> None:
        now = self._clock()
        with self._lock:
            self._row().in_flight -= requests
            self._offer_inline(now, now - began)

    def refuse_inline(self, work_s: float, *, shedding: bool) -> None:
        """Publish what the event loop does not compute. ``shedding``: more work arrives than the
        loop can do."""
        with self._lock:
            self._offer_inline(self._clock(), work_s)
            self._row().admission.shedding_inline = shedding

    def _offer_inline(self, now: float, loop_s: float) -> None:
        """The loop's time counts for all slots: only one thread answers such requests."""
        self._offer(now, loop_s * self.slots.count)


class PlaceInFlight:
    """Holds a place in flight while its block runs; the block gets the deadline."""

    def __init__(self, admission: Admission, due: float) -> None:
        self._admission = admission
        self._due = due

    def __enter__(self) -> float:
        self._admission.enter(self._due)
        return self._due

    def __exit__(self, *exc_info: object) -> None:
        self._admission.leave()


class InlinePlace:
    """Counts requests in flight while its block runs; the block gets their deadline."""

    def __init__(self, admission: Admission, requests: int, began: float) -> None:
        self._admission = admission
        self._requests = requests
        self._began = began

    def __enter__(self) -> float:
        self._admission.enter_inline(self._requests)
        return self._admission.due(self._began)

    def __exit__(self, *exc_info: object) -> None:
        self._admission.leave_inline(self._requests, self._began)
