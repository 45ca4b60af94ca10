"""Who gets a slot, who waits for one, and who is refused: a state machine without threads or clock.

Each call says what time it is, in seconds of any clock that does not go back.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from azureml_scoring.admission.service_times import Durations, ServiceTimes, WorkKind
from azureml_scoring.admission.wait_limit import WaitLimit
from azureml_scoring.errors import OverloadReason

SIZE_WEIGHT = 2.0
"""Small requests go before large ones, unless they came later by more than so many times the
difference of their work: small ones hardly wait, and large ones not for ever."""

LONG_RUN = 3.0
"""A score that takes so many times what was expected lends its slot to the next request."""

STALE_S = 0.5
"""If no score has ended for so long, or none of a request's kind, and a slot is free, a request
that seems hopeless is tried: or slow scores would have those with a short deadline refused for
ever."""

STALE_TIMES = 20.0
"""A kind that takes long is tried after so many times as long: it takes 5 % of a slot at most."""


class Refusal(NamedTuple):
    """``drain_s``: when a slot is expected to be free."""

    reason: OverloadReason
    drain_s: float


@dataclass(eq=False, slots=True)
class Ticket:
    """A request that waits for a slot or has one, or several that share a score.

    ``work_s``: how long it is expected to be computed; ``started``: infinity until then.
    ``requests``, ``rows``: what shares the score; ``max_rows``: 0 if nothing may.
    """

    kind: WorkKind
    joined: float
    due: float
    rows: int = 0
    max_rows: int = 0
    requests: int = 1
    work_s: float = 0.0
    order: float = 0.0
    started: float = math.inf
    lends_at: float = math.inf

    @property
    def room(self) -> int:
        """How many rows more may share the score."""
        return max(self.max_rows - self.rows, 0)


AnyTicket = TypeVar("AnyTicket", bound=Ticket)


class SlotQueue(Generic[AnyTicket]):
    """The slots of a worker, and the requests that wait for them.

    ``max_running``: how many scores run at once when slots are lent. ``max_requests``: how many
    requests are admitted at once.
    """

    def __init__(
        self, limit: WaitLimit, *, slots: int, max_running: int, max_requests: int
    ) -> None:
        self.limit = limit
        self.slots = slots
        self.max_running = max_running
        self.max_requests = max_requests
        self.times = ServiceTimes()
        self.running: dict[AnyTicket, None] = {}
        self.waiting: list[AnyTicket] = []
        self._admitted = 0
        self._max_rows = 1
        self._slot_time = Durations()
        self._unshared_slot_s = 0.0
        self._ended = -math.inf
        self._kinds_ended: dict[WorkKind, float] = {}

    def arrive(self, now: float, due: float) -> Refusal | None:
        """Count a request that arrives, of which nothing else is known, and decide on it. If it is
        not refused, ``leave`` must follow."""
        self.limit.offer(now, self._slot_time.mean, self.slots)
        refusal = self.would_refuse(now, due)
        if refusal is None:
            self._admitted += 1
        return refusal

    def would_refuse(self, now: float, due: float) -> Refusal | None:
        """Return what ``arrive`` would."""
        ahead = self._work_ahead()
        wait = self._wait_behind(now, ahead)
        if self._admitted >= self.max_requests:
            return Refusal(OverloadReason.FULL, wait)
        is_queued = ahead > 0 or self._max_rows == 1
        return self._judge(now, due, wait, None, is_queued=is_queued)

    def turn_away(self, now: float, due: float) -> Refusal | None:
        """Count a request that arrives if it is refused; else it may ``arrive`` later."""
        refusal = self.would_refuse(now, due)
        if refusal:
            self.limit.offer(now, self._slot_time.mean, self.slots)
        return refusal

    def leave(self) -> None:
        """End a request that arrived, whether it had a slot or not."""
        self._admitted -= 1
        self._slot_time.add(self._unshared_slot_s)
        self._unshared_slot_s = 0.0

    def join(self, ticket: AnyTicket, now: float) -> Refusal | None:
        """Let a request wait, unless it is refused: what it asks for is known now."""
        ticket.work_s = self.times.expected(ticket.kind)
        ticket.order = ticket.joined + SIZE_WEIGHT * ticket.work_s
        place = bisect_right(self.waiting, ticket.order, key=_order)
        ahead = self._work_of(self.waiting[:place])
        wait = self._wait_behind(now, ahead)
        is_queued = ahead > 0 or not ticket.room
        refusal = self._judge(now, ticket.due, wait, ticket.kind, is_queued=is_queued)
        if refusal is None:
            self.waiting.insert(place, ticket)
        self._max_rows = max(ticket.max_rows, 1)
        return refusal

    def share(self, ticket: AnyTicket, rows: int, now: float, due: float) -> Refusal | None:
        """Let another request, of so many ``rows``, share the score of a ticket that has room,
        unless it is refused. The score must not have begun."""
        wait, is_queued = 0.0, False
        if ticket not in self.running:
            ahead = self._work_of(self.waiting[: self.waiting.index(ticket)])
            wait, is_queued = self._wait_behind(now, ahead), ahead > 0
        kind = WorkKind.of(ticket.kind.method, ticket.rows + rows)
        refusal = self._judge(now, due, wait, kind, is_queued=is_queued)
        if refusal is None:
            self._reshape(ticket, 1, rows)
        return refusal

    def unshare(self, ticket: AnyTicket, rows: int) -> None:
        """Take one of several requests out of a score that has not begun."""
        self._reshape(ticket, -1, -rows)

    def _reshape(self, ticket: AnyTicket, requests: int, rows: int) -> None:
        ticket.requests += requests
        ticket.rows += rows
        ticket.kind = WorkKind.of(ticket.kind.method, ticket.rows)
        ticket.work_s = self.times.expected(ticket.kind)

    def withdraw(self, ticket: AnyTicket) -> None:
        """Take back a request that is not computed, whether it has a slot or not."""
        if ticket in self.running:
            del self.running[ticket]
        else:
            self.waiting.remove(ticket)

    def start(self, now: float) -> AnyTicket | None:
        """Give a slot to the next request, if one is free, and return it."""
        if not self.waiting or len(self._holding(now)) >= self.slots:
            return None
        ticket = self.waiting.pop(0)
        ticket.started = now
        ticket.lends_at = now + LONG_RUN * ticket.work_s if ticket.work_s else math.inf
        self.running[ticket] = None
        return ticket

    def finish(self, ticket: AnyTicket, now: float) -> None:
        """Free the slot of a score that has ended."""
        del self.running[ticket]
        seconds = now - ticket.started
        if ticket.started + ticket.work_s > ticket.due and seconds < ticket.work_s / 2:
            self.times.forget(ticket.kind)  # it was tried, and is no longer slow
        self.times.add(ticket.kind, seconds)
        self._unshared_slot_s += seconds
        self._ended = self._kinds_ended[ticket.kind] = now

    @property
    def slot_s(self) -> float:
        """How long a slot is expected to be taken by a request of which nothing else is known."""
        return self._slot_time.mean

    def next_lending(self, now: float) -> float:
        """Return the time after ``now`` when the next slot is lent; infinity if none will be."""
        if len(self.running) >= self.max_running:
            return math.inf
        return min(
            (ticket.lends_at for ticket in self.running if ticket.lends_at > now),
            default=math.inf,
        )

    def _holding(self, now: float) -> list[AnyTicket]:
        """Return the scores whose slots are not lent."""
        if len(self.running) >= self.max_running:
            return list(self.running)
        return [ticket for ticket in self.running if now < ticket.lends_at]

    def _work_ahead(self) -> float:
        """Return the work that is done before that of a request that arrives now."""
        seated = sum(ticket.requests for ticket in itertools.chain(self.running, self.waiting))
        apart = max(self._admitted - seated, 0)
        for place, ticket in enumerate(self.waiting):
            if ticket.room > apart:
                return self._work_of(self.waiting[:place])
        if self._max_rows > 1:
            apart_s = apart // self._max_rows * self.times.mean
        else:
            apart_s = apart * self._slot_time.mean
        return self._work_of(self.waiting) + apart_s

    def _work_of(self, tickets: list[AnyTicket]) -> float:
        return sum(ticket.work_s for ticket in tickets)

    def _judge(
        self, now: float, due: float, wait: float, kind: WorkKind | None, *, is_queued: bool
    ) -> Refusal | None:
        """``kind``: None as long as it is not known: then the deadline is held against the least
        work. ``is_queued``: False if its score, which others may share, is the next to start. Then
        a refusal would shorten nobody's wait."""
        if kind:
            work = least = self.times.expected(kind)
        else:
            work = self.times.mean if self._max_rows > 1 else self._slot_time.mean
            least = min(work, self.times.shortest)
        if is_queued:
            admitted = self.limit.admits(now, wait, work, self._slot_time.mean)
        else:
            self.limit.end_if_over(now)
            admitted = wait <= self.limit.patience_s(work)
        is_tried = wait == 0 and self._is_stale(kind, now)
        if now + wait + (0 if is_tried else least) > due:
            return Refusal(OverloadReason.DEADLINE, wait)
        return None if admitted else Refusal(OverloadReason.QUEUE, wait)

    def _is_stale(self, kind: WorkKind | None, now: float) -> bool:
        """Return True if what is known is so old that a score which seems hopeless is tried."""
        if now - self._ended > STALE_S:
            return True
        if kind is None or any(ticket.kind == kind for ticket in self.running):
            return False
        rest = max(STALE_S, STALE_TIMES * self.times.expected(kind))
        return now - self._kinds_ended.get(kind, -math.inf) > rest

    def _wait_behind(self, now: float, queued_s: float) -> float:
        """Return the seconds until a slot is free, once all slots together have done ``queued_s``
        of work.

        As water fills a vessel with steps: each step is a slot, as high as the rest of its score.
        """
        holding = self._holding(now)
        free = self.slots - len(holding)
        if free > 0 and not queued_s:
            return 0.0
        steps = [0.0] * free + sorted([self._rest(ticket, now) for ticket in holding])
        volume, level = queued_s, 0.0
        for count, step in enumerate(steps, start=1):
            volume += step
            level = volume / count
            if count == len(steps) or level <= steps[count]:
                break
        return level

    def _rest(self, ticket: Ticket, now: float) -> float:
        """Return how much longer a score is expected to run."""
        elapsed = now - ticket.started
        if elapsed < ticket.work_s:
            return ticket.work_s - elapsed
        return self.times.remaining(ticket.kind, elapsed)


def _order(ticket: Ticket) -> float:
    return ticket.order
