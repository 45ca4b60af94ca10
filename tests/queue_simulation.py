"""Simulates a worker's slots under load: the real ``SlotQueue``, on a clock of its own."""

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from azureml_scoring.admission.service_times import WorkKind
from azureml_scoring.admission.slot_queue import SlotQueue
from azureml_scoring.admission.ticket import Ticket
from azureml_scoring.admission.wait_limit import WaitLimit
from azureml_scoring.models.batch_size import BatchSize

READING_S = 0.002
"""From a request's arrival until its body is read."""


@dataclass(frozen=True)
class Work:
    """What one request needs: ``seconds`` of a processor that it has for itself. ``joined_s``: what
    it adds to a score that it shares."""

    kind: WorkKind
    seconds: float
    joined_s: float = 0.0


@dataclass(frozen=True)
class Ended:
    """What became of a request. ``seconds``: from its arrival until then."""

    arrived: float
    seconds: float
    answered: bool


@dataclass
class Worker:
    """``processors``: scores beyond that number share them, as the system or the GIL does it.
    ``max_rows``: so many requests of one row share a score; 0: none."""

    slots: int
    processors: float
    objective_s: float = 0.2
    deadline_s: float = 25.0
    max_rows: int = 0
    ended: list[Ended] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.queue = SlotQueue(
            WaitLimit(self.objective_s),
            slots=self.slots,
            max_running=2 * self.slots,
            max_requests=1000,
        )
        self._batch_size = BatchSize(self.max_rows, self.objective_s)
        self._now = 0.0
        self._left: dict[Ticket, float] = {}
        self._of: dict[Ticket, list[tuple[float, Work]]] = {}

    def run(self, rate: float, seconds: float, work: Callable[[int], Work]) -> list[Ended]:
        """Offer ``rate`` requests a second, evenly; return what became of each."""
        counter = itertools.count()
        events = [
            (number / rate, next(counter), number, None) for number in range(int(rate * seconds))
        ]
        while events or self._left or self.queue.waiting:
            now = min(
                events[0][0] if events else float("inf"),
                self._next_end(),
                self.queue.next_lending(self._now) if self.queue.waiting else float("inf"),
            )
            self._advance(now)
            for ticket in [ticket for ticket, left in self._left.items() if left <= 1e-9]:
                self._finish(ticket)
            while events and events[0][0] <= now:
                _, _, number, arrived = heapq.heappop(events)
                if arrived is not None:
                    self._join(arrived, work(number))
                elif self.queue.arrive(now, now + self.deadline_s):
                    self.ended.append(Ended(now, 0.0, False))
                else:
                    heapq.heappush(events, (now + READING_S, next(counter), number, now))
            self._start()
        return self.ended

    def _advance(self, now: float) -> None:
        speed = self._speed()
        for ticket in self._left:
            self._left[ticket] -= (now - self._now) * speed
        self._now = now

    def _speed(self) -> float:
        return min(1.0, self.processors / max(len(self._left), 1))

    def _next_end(self) -> float:
        return self._now + min(self._left.values(), default=float("inf")) / self._speed()

    def _join(self, arrived: float, work: Work) -> None:
        due = arrived + self.deadline_s
        ticket = next((ticket for ticket in self.queue.waiting if ticket.room), None)
        if ticket:
            refusal = self.queue.share(ticket, 1, self._now, due)
        else:
            ticket = Ticket(work.kind, self._now, due, 1, self._batch_size.rows)
            refusal = self.queue.join(ticket, self._now)
        if refusal:
            self._leave(arrived, answered=False)
        else:
            self._of.setdefault(ticket, []).append((arrived, work))

    def _start(self) -> None:
        for ticket in list(self.queue.waiting):
            if self._now - ticket.joined >= self.queue.limit.patience_s(ticket.work_s):
                self.queue.withdraw(ticket)
                self._leave_all(ticket, answered=False)
        while ticket := self.queue.start(self._now):
            (_, first), *others = self._of[ticket]
            self._left[ticket] = first.seconds + sum(work.joined_s for _, work in others)

    def _finish(self, ticket: Ticket) -> None:
        del self._left[ticket]
        self.queue.finish(ticket, self._now)
        self._batch_size.add(ticket.rows, self._now - ticket.started)
        self._leave_all(ticket, answered=True)

    def _leave_all(self, ticket: Ticket, *, answered: bool) -> None:
        for arrived, _ in self._of.pop(ticket):
            self._leave(arrived, answered=answered)

    def _leave(self, arrived: float, *, answered: bool) -> None:
        self.queue.leave()
        self.ended.append(Ended(arrived, self._now - arrived, answered))


def noisy(seconds: float, random_numbers: random.Random) -> float:
    """Return a duration that varies by about 10 %."""
    return seconds * random_numbers.lognormvariate(0, 0.1)
