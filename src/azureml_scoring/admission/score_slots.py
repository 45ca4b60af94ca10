"""Computes requests in the slots of a worker, each on a thread of its own.

So a request's thread can answer 504 when the deadline passes. A computation can't be stopped: it
keeps its slot until it returns, and liveness fails if it never does (docs/adr/0001). ``SlotQueue``
decides who waits; ``ScoreSlots`` has the lock, the clock and the threads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from azureml_scoring.admission.refusals import Refusals
from azureml_scoring.admission.service_times import WorkKind
from azureml_scoring.admission.slot_count import SlotCount
from azureml_scoring.admission.slot_queue import Refusal, SlotQueue
from azureml_scoring.admission.ticket import Ticket
from azureml_scoring.admission.wait_limit import WaitLimit
from azureml_scoring.errors import (
    RETRY,
    TOO_LATE,
    ClientGone,
    DeadlineExceeded,
    Overloaded,
    OverloadReason,
)
from azureml_scoring.processor_time import Stopwatch
from azureml_scoring.shared.scoreboard import WorkerRow

T = TypeVar("T")


class ScoreSlots:
    """Slots and the queue before them. Times in seconds, by the monotonic clock.

    ``row``: the row of the scoreboard that shows this worker's state to other processes.
    ``objective``: an answer within this time is worth something. ``lend``: a score that takes much
    longer than expected lends its slot to the next.
    """

    def __init__(
        self,
        row: Callable[[], WorkerRow],
        *,
        slots: int,
        lend: bool,
        max_requests: int,
        objective: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.objective = objective
        self._row = row
        self._clock = clock
        self._lock = threading.Lock()
        self._queue = SlotQueue[SlotTicket](
            WaitLimit(objective), slots=1, max_running=1, max_requests=max_requests
        )
        self._slots = SlotCount(self._queue, row, slots, lend=lend)
        self._refusals = Refusals()
        self._new_threads = partial(ThreadPoolExecutor, max_requests, thread_name_prefix="score")
        self._threads = self._new_threads()

    @property
    def count(self) -> int:
        return self._queue.slots

    @property
    def slot_s(self) -> float:
        """How long a slot is expected to be taken by a request of which nothing else is known."""
        return self._queue.expected.slot_s

    @property
    def shedding(self) -> bool:
        """True while more work arrives than can be done."""
        return self._queue.limit.strict

    def measured(self, slots: int, *, parallelism: int, correct: bool) -> None:
        """Use the slots that a trial of the model chose.

        ``parallelism``: the processors that all scores together can keep busy. ``correct``: the
        slots may change while the model runs, and be lent; False if it can't compute two at once.
        """
        with self._lock:
            self._slots.measured(slots, parallelism=parallelism, correct=correct)

    def publish(self) -> None:
        """Show the number of slots in the row, which may be a new one."""
        self._slots.publish()

    def turn_away(self, due: float) -> Overloaded | None:
        """Return why a request is refused whose body is not read yet; None if it may ``arrive``."""
        with self._lock:
            refusal = self._queue.turn_away(self._clock(), due)
            return self._refused(refusal) if refusal else None

    def arrive(self, due: float) -> None:
        """Admit a request; ``leave`` must follow. Raises Overloaded."""
        with self._lock:
            if refusal := self._queue.arrive(self._clock(), due):
                raise self._refused(refusal)

    def leave(self) -> None:
        """End a request that was admitted."""
        with self._lock:
            self._queue.leave()

    def compute(
        self,
        score: Callable[[], T],
        kind: WorkKind,
        due: float,
        gone: Callable[[], bool] = lambda: False,
    ) -> T:
        """Run ``score`` in a slot.

        ``gone``: the client has hung up; then nothing is computed. Raises what ``score`` raises,
        Overloaded, DeadlineExceeded or ClientGone.
        """
        ticket = self.ticket(kind, due)
        try:
            self.join(ticket)
            self.wait_for_slot(ticket, due)
            if gone():
                raise ClientGone
            future = self.run(ticket, score)
        except BaseException:  # the server's SIGALRM may strike anywhere
            self.withdraw(ticket)
            raise
        return self.result(future, due)

    def ticket(self, kind: WorkKind, due: float, *, rows: int = 0, max_rows: int = 0) -> SlotTicket:
        """Return a ticket that may ``join``. ``max_rows``: others may share its score until it has
        so many."""
        return SlotTicket(kind, self._clock(), due, rows, max_rows)

    def join(self, ticket: SlotTicket) -> None:
        """Let a ticket wait for a slot. Raises Overloaded or DeadlineExceeded."""
        if ticket.due <= ticket.joined:
            raise self._too_late()
        with self._lock:
            if refusal := self._queue.join(ticket, ticket.joined):
                raise self._refused(refusal)
            self._start_next()

    def share(self, ticket: SlotTicket, rows: int, due: float) -> None:
        """Let another request share the score of a ticket that has room. Raises Overloaded."""
        with self._lock:
            if refusal := self._queue.share(ticket, rows, self._clock(), due):
                raise self._refused(refusal)

    def unshare(self, ticket: SlotTicket, rows: int) -> None:
        """Take one of several requests out of a score that has not begun."""
        with self._lock:
            self._queue.unshare(ticket, rows)

    def withdraw(self, ticket: SlotTicket) -> bool:
        """Take back a ticket, unless its score has begun. Return True if it has not."""
        with self._lock:
            if ticket.has_begun:
                return False
            self._queue.withdraw(ticket)
            self._start_next()
            return True

    def wait_for_slot(self, ticket: SlotTicket, due: float) -> None:
        """Return once the ticket has a slot. Raises Overloaded or DeadlineExceeded."""
        now = self._clock()
        latest = min(now + self._queue.limit.patience_s(ticket.work_s), due)
        while not ticket.has_slot.is_set():
            with self._lock:
                self._start_next()  # a slot may have been lent
                now = self._clock()
                if now >= latest and not ticket.has_slot.is_set():
                    if now >= due:
                        raise self._too_late()
                    raise self._refused(Refusal(OverloadReason.WAITED, 0.0))
                wake = min(latest, self._queue.next_lending(now))
            ticket.has_slot.wait(max(wake - now, 0))

    def run(self, ticket: SlotTicket, score: Callable[[], T]) -> Future[T]:
        """Begin the score of a ticket that has a slot. Raises Overloaded, if no thread can be
        started; then ``withdraw`` the ticket."""
        threads = self._threads
        try:
            return threads.submit(self._in_slot, score, ticket)
        except RuntimeError as error:
            if threads is self._threads:
                # It still holds the score. Python 3.11 counts one idle thread too many once a
                # thread has taken that, and would let a later score wait for a busy one.
                self._threads = self._new_threads()
                threads.shutdown(wait=False)
            raise Overloaded(
                f"The service can't start another thread; {RETRY}.", reason=OverloadReason.FULL
            ) from error

    def result(self, future: Future[T], due: float) -> T:
        """Wait for a score. Raises what it raised, or DeadlineExceeded."""
        try:
            return future.result(timeout=max(due - self._clock(), 0))
        except TimeoutError:
            raise self._too_late() from None

    def _in_slot(self, score: Callable[[], T], ticket: SlotTicket) -> T:
        with self._lock:
            if ticket not in self._queue.running:  # withdrawn, when it was queued for a thread
                raise CancelledError
            ticket.has_begun = True
        watch = Stopwatch()
        try:
            return score()
        finally:
            spent = watch.spent()
            with self._lock:
                self._queue.finish(ticket, self._clock())
                self._slots.note(spent, ticket.beside)
                self._start_next()

    def _start_next(self) -> None:
        """Give free slots to those that wait, and publish the state."""
        now = self._clock()
        while ticket := self._queue.start(now):
            ticket.beside = len(self._queue.running)
            ticket.has_slot.set()
        row, running = self._row(), [ticket.started for ticket in self._queue.running]
        row.oldest_start = min(running, default=0.0)
        full = len(running) >= self._queue.max_running
        row.full_since = max(running) if full else 0.0
        row.admission.waiting = len(self._queue.waiting)

    def _refused(self, refusal: Refusal) -> Overloaded:
        return self._refusals.error(refusal, self._clock(), self.slot_s / self.count)

    def _too_late(self) -> DeadlineExceeded:
        return DeadlineExceeded(TOO_LATE)


class SlotTicket(Ticket):
    """A ticket whose threads wait for ``has_slot``. ``beside``: it began as one of so many.
    ``has_begun``: a thread computes its score, or has done so."""

    beside = 1
    has_begun = False

    def __init__(self, kind: WorkKind, joined: float, due: float, rows: int, max_rows: int) -> None:
        super().__init__(kind, joined, due, rows, max_rows)
        self.has_slot = threading.Event()
