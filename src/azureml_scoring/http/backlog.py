"""Requests that wait for the event loop to compute them, so that it looks at its sockets often.

If more small requests arrive at once than the loop can answer in a slice of time, the rest wait
here. The loop answers them a slice at a time and looks at its sockets in between, where probes and
new connections arrive. A request that can't be answered in time is refused.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import NamedTuple, Protocol

from azureml_scoring.admission.refusals import Refusals
from azureml_scoring.admission.service_times import ServiceTimes, WorkKind
from azureml_scoring.admission.slot_queue import Refusal
from azureml_scoring.admission.wait_limit import WaitLimit
from azureml_scoring.errors import (
    TOO_LATE,
    DeadlineExceeded,
    Overloaded,
    OverloadReason,
    ScoringError,
)

SLICE_S = 0.005
"""How long the loop computes before it looks at its sockets again. A probe on a new connection
takes about four rounds of the loop: 30 ms."""

REFUSAL_SLICE_S = SLICE_S / 2
"""How long the loop refuses before it computes. Clients that come back at once and ever again get
no more of it."""

EASE_S = 0.05
"""After so long without a backlog, what arrived before it no longer counts as offered load."""

ANY_WORK = WorkKind("", 0)


class Waiting(Protocol):
    """A request that waits. One of both is called, once."""

    def compute(self) -> None: ...

    def refuse(self, error: ScoringError) -> None: ...


class Publish(Protocol):
    def __call__(self, work_s: float, *, shedding: bool) -> None: ...


def not_published(work_s: float, *, shedding: bool) -> None:
    """Do nothing, in place of ``Publish``."""


class Arrival(NamedTuple):
    kind: WorkKind
    joined: float
    due: float


class Backlog:
    """The backlog of one event loop, whose thread calls it.

    ``behind``: a request that arrives must ``join``. ``new_limit``: makes the limit of the wait.
    ``clock``: that of deadlines. ``publish``: see ``Admission.refuse_inline``.
    """

    def __init__(
        self,
        new_limit: Callable[[], WaitLimit],
        clock: Callable[[], float] = time.monotonic,
        *,
        publish: Publish = not_published,
    ) -> None:
        self.behind = False
        self._new_limit = new_limit
        self._publish = publish
        self._limit = new_limit()
        self._clock = clock
        self._times = ServiceTimes()
        self._refusals = Refusals()
        self._admitted = OrderedDict[Waiting, Arrival]()
        self._refused = OrderedDict[Waiting, ScoringError]()
        self._kinds = Counter[WorkKind]()
        self._computed_at = self._at_ease_since = clock()

    def fall_behind(self, request_s: float) -> None:
        """Let requests wait from now on. ``request_s``: what the last ones took, in seconds."""
        if self._clock() - self._at_ease_since > EASE_S:
            self._limit = self._new_limit()
        self._times.add(ANY_WORK, request_s)
        self.behind = True

    def join(self, request: Waiting, body_bytes: int, due: float) -> bool:
        """Let a request wait to be computed. False: it waits to be refused, as it would wait too
        long."""
        now, kind = self._clock(), WorkKind("", body_bytes.bit_length())
        work_s, wait_s = self._times.expected(kind), self._expected_wait()
        self._limit.offer(now, work_s, slots=1)
        admitted = self._limit.admits(now, wait_s, work_s, self._times.mean)
        if now >= due:
            self._refuse(request, DeadlineExceeded(TOO_LATE), work_s)
        elif now + wait_s + work_s > due:
            self._refuse(request, self._error(OverloadReason.DEADLINE, now), work_s)
        elif not admitted:
            self._refuse(request, self._error(OverloadReason.QUEUE, now), work_s)
        else:
            if not self._admitted:
                self._computed_at = now
            self._admitted[request] = Arrival(kind, now, due)
            self._kinds[kind] += 1
            return True
        return False

    def turn_away(self, request: Waiting, error: Overloaded) -> None:
        """Let a request wait to be refused for another reason."""
        self._refuse(request, error, self._times.mean)

    def _refuse(self, request: Waiting, error: ScoringError, work_s: float) -> None:
        self._refused[request] = error
        self._publish(work_s, shedding=self._limit.strict)

    def leave(self, request: Waiting) -> None:
        """Drop a request: its client has gone, or it has been answered."""
        self._refused.pop(request, None)
        if ticket := self._admitted.pop(request, None):
            self._kinds[ticket.kind] -= 1

    def refuse_slice(self) -> None:
        """Refuse those that would wait too long, for a part of a round at most."""
        end = self._clock() + REFUSAL_SLICE_S
        while self._refused and self._clock() < end:
            request, error = self._refused.popitem(last=False)
            request.refuse(error)

    def compute_slice(self, end_turn: Callable[[], None]) -> None:
        """Compute the oldest requests, for a slice at most. ``end_turn``: answers those that were
        computed together."""
        now = self._clock()
        end = now + SLICE_S
        while self._admitted and now < end:
            request, ticket = self._admitted.popitem(last=False)
            self._kinds[ticket.kind] -= 1
            if error := self._too_late(ticket, now):
                request.refuse(error)
                now = self._clock()
                continue
            request.compute()
            now = self._clock()
            self._count(ticket.kind, now)
        end_turn()
        self.behind = bool(self._admitted or self._refused)
        self._at_ease_since = now
        if not self.behind:
            self._publish(0.0, shedding=False)

    def _too_late(self, ticket: Arrival, now: float) -> ScoringError | None:
        work_s = self._times.expected(ticket.kind)
        if now + work_s > ticket.due:
            return DeadlineExceeded(TOO_LATE)
        if now - ticket.joined > self._limit.patience_s(work_s):
            return self._error(OverloadReason.WAITED, now)
        return None

    def _count(self, kind: WorkKind, now: float) -> None:
        """Count how long one more request took, with all that the loop did meanwhile: reading
        sockets, refusing. So the expected wait is right by the clock."""
        self._times.add(kind, now - self._computed_at)
        self._computed_at = now

    def _error(self, reason: OverloadReason, now: float) -> Overloaded:
        return self._refusals.error(Refusal(reason, self._expected_wait()), now, self._times.mean)

    def _expected_wait(self) -> float:
        """Return the seconds until a request would be computed that joined now."""
        return sum(count * self._times.expected(kind) for kind, count in self._kinds.items())
