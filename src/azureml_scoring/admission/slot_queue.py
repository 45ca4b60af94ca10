"""Who gets a slot, who waits for one, and who is refused: a state machine without threads or clock.

Each call says what time it is, in seconds of any clock that does not go back.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from typing import Generic, NamedTuple, TypeVar

from azureml_scoring.admission.expected_wait import ExpectedWait
from azureml_scoring.admission.service_times import WorkKind
from azureml_scoring.admission.ticket import Ticket
from azureml_scoring.admission.wait_limit import WaitLimit
from azureml_scoring.errors import OverloadReason

SIZE_WEIGHT = 2.0
"""Small requests go before large ones, unless they came later by more than so many times the
difference of their work: small ones hardly wait, and large ones not for ever."""

LONG_RUN = 3.0
"""A score that takes so many times what was expected lends its slot to the next request."""


class Refusal(NamedTuple):
    """``drain_s``: when a slot is expected to be free."""

    reason: OverloadReason
    drain_s: float


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
        self.expected = ExpectedWait()
        self.running: dict[AnyTicket, None] = {}
        self.waiting: list[AnyTicket] = []
        self._admitted = 0

    def arrive(self, now: float, due: float) -> Refusal | None:
        """Count a request that arrives, of which nothing else is known, and decide on it. If it is
        not refused, ``leave`` must follow."""
        self.limit.offer(now, self.expected.slot_s, self.slots)
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
        is_queued = ahead > 0 or self.expected.max_rows == 1
        return self._judge(now, due, wait, None, is_queued=is_queued)

    def turn_away(self, now: float, due: float) -> Refusal | None:
        """Count a request that arrives if it is refused; else it may ``arrive`` later."""
        refusal = self.would_refuse(now, due)
        if refusal:
            self.limit.offer(now, self.expected.slot_s, self.slots)
        return refusal

    def leave(self) -> None:
        """End a request that arrived, whether it had a slot or not."""
        self._admitted -= 1
        self.expected.end_request()

    def join(self, ticket: AnyTicket, now: float) -> Refusal | None:
        """Let a request wait, unless it is refused: what it asks for is known now."""
        ticket.work_s = self.expected.work_s(ticket.kind)
        ticket.order = ticket.joined + SIZE_WEIGHT * ticket.work_s
        place = bisect_right(self.waiting, ticket.order, key=_order)
        ahead = self._work_of(self.waiting[:place])
        wait = self._wait_behind(now, ahead)
        is_queued = ahead > 0 or not ticket.room
        refusal = self._judge(now, ticket.due, wait, ticket.kind, is_queued=is_queued)
        if refusal is None:
            self.waiting.insert(place, ticket)
        self.expected.max_rows = max(ticket.max_rows, 1)
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
        ticket.work_s = self.expected.work_s(ticket.kind)

    def withdraw(self, ticket: AnyTicket) -> None:
        """Take back a request that is not computed, if it has joined, whether it has a slot or
        not."""
        if ticket in self.running:
            del self.running[ticket]
        elif ticket in self.waiting:
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
        self.expected.end_score(ticket, now)

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

    def _wait_behind(self, now: float, queued_s: float) -> float:
        return self.expected.until_free(now, self._holding(now), queued_s, slots=self.slots)

    def _work_ahead(self) -> float:
        """Return the work that is done before that of a request that arrives now."""
        seated = sum(ticket.requests for ticket in itertools.chain(self.running, self.waiting))
        apart = max(self._admitted - seated, 0)
        for place, ticket in enumerate(self.waiting):
            if ticket.room > apart:
                return self._work_of(self.waiting[:place])
        return self._work_of(self.waiting) + self.expected.work_of(apart)

    def _work_of(self, tickets: list[AnyTicket]) -> float:
        return sum(ticket.work_s for ticket in tickets)

    def _judge(
        self, now: float, due: float, wait: float, kind: WorkKind | None, *, is_queued: bool
    ) -> Refusal | None:
        """``kind``: None as long as it is not known: then the deadline is held against the least
        work. ``is_queued``: False if its score, which others may share, is the next to start. Then
        a refusal would shorten nobody's wait."""
        work = self.expected.work_s(kind)
        if is_queued:
            admitted = self.limit.admits(now, wait, work, self.expected.slot_s)
        else:
            self.limit.end_if_over(now)
            admitted = wait <= self.limit.patience_s(work)
        is_tried = wait == 0 and self.expected.is_stale(kind, now, self.running)
        least = 0.0 if is_tried else self.expected.least_work_s(kind)
        if now + wait + least > due:
            return Refusal(OverloadReason.DEADLINE, wait)
        return None if admitted else Refusal(OverloadReason.QUEUE, wait)


def _order(ticket: Ticket) -> float:
    return ticket.order
