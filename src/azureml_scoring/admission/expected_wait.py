"""Predicts how long a request waits for a slot, from the scores and requests that have ended.

Times in seconds, of any clock that does not go back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from azureml_scoring.admission.service_times import Durations, ServiceTimes, WorkKind
from azureml_scoring.admission.ticket import Ticket

STALE_S = 0.5
"""If no score has ended for so long, or none of a request's kind, and a slot is free, a request
that seems hopeless is tried: or slow scores would have those with a short deadline refused for
ever."""

STALE_TIMES = 20.0
"""A kind that takes long is tried after so many times as long: it takes 5 % of a slot at most."""


class ExpectedWait:
    """What a worker knows of the time that its work takes.

    ``max_rows``: so many requests of one row may share a score at present.
    """

    def __init__(self) -> None:
        self.max_rows = 1
        self._scores = ServiceTimes()
        self._requests = Durations()
        self._unshared_slot_s = 0.0
        self._ended = -math.inf
        self._kinds_ended: dict[WorkKind, float] = {}

    def end_score(self, ticket: Ticket, now: float) -> None:
        """Learn from a score that has ended."""
        seconds = now - ticket.started
        if ticket.started + ticket.work_s > ticket.due and seconds < ticket.work_s / 2:
            self._scores.forget(ticket.kind)  # it was tried, and is no longer slow
        self._scores.add(ticket.kind, seconds)
        self._unshared_slot_s += seconds
        self._ended = self._kinds_ended[ticket.kind] = now

    def end_request(self) -> None:
        """Learn from a request that has ended; those that share a score share its time."""
        self._requests.add(self._unshared_slot_s)
        self._unshared_slot_s = 0.0

    @property
    def slot_s(self) -> float:
        """How long a slot is expected to be taken by a request of which nothing else is known."""
        return self._requests.mean

    def work_s(self, kind: WorkKind | None) -> float:
        """Return how long a score is expected to run. ``kind``: None if it is not known."""
        if kind:
            return self._scores.expected(kind)
        return self._scores.mean if self.max_rows > 1 else self.slot_s

    def least_work_s(self, kind: WorkKind | None) -> float:
        """Return the least that a score may take."""
        return self.work_s(kind) if kind else min(self.work_s(None), self._scores.shortest)

    def work_of(self, requests: int) -> float:
        """Return the work of so many requests, if those that may share a score do."""
        return requests // self.max_rows * self.work_s(None)

    def is_stale(self, kind: WorkKind | None, now: float, running: Iterable[Ticket]) -> bool:
        """Return True if what is known is so old that a score which seems hopeless is tried."""
        if now - self._ended > STALE_S:
            return True
        if kind is None or any(ticket.kind == kind for ticket in running):
            return False
        rest = max(STALE_S, STALE_TIMES * self.work_s(kind))
        return now - self._kinds_ended.get(kind, -math.inf) > rest

    def until_free(
        self, now: float, running: Sequence[Ticket], queued_s: float, *, slots: int
    ) -> float:
        """Return the seconds until a slot is free, once all slots together have done ``queued_s``
        of work.

        As water fills a vessel with steps: each step is a slot, as high as the rest of its score.
        """
        free = slots - len(running)
        if free > 0 and not queued_s:
            return 0.0
        steps = [0.0] * free + sorted([self._rest(ticket, now) for ticket in running])
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
        return self._scores.remaining(ticket.kind, elapsed)
