"""The queue before the slots, whatever arrives."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from azureml_scoring.admission.service_times import WorkKind
from azureml_scoring.admission.ticket import Ticket
from slot_queues import LATER, ROW, TABLE, slot_queue


class AnyTraffic(RuleBasedStateMachine):
    """Whatever arrives, in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = slot_queue(slots=2, max_requests=6)
        self.now = 0.0
        self.admitted = 0
        self.refused: list[Ticket] = []
        self.started: list[Ticket] = []

    @rule(seconds=st.sampled_from([0.0, 0.001, 0.01, 0.1, 1.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(
        kind=st.sampled_from([ROW, TABLE, WorkKind.of("predict_proba", 1)]),
        wanted_for=st.sampled_from([0.05, 0.5, 25.0]),
        max_rows=st.sampled_from([0, 1, 3]),
    )
    def request(self, kind: WorkKind, wanted_for: float, max_rows: int) -> None:
        due = self.now + wanted_for
        expected = self.queue.would_refuse(self.now, due)
        refusal = self.queue.arrive(self.now, due)
        assert (refusal is None) == (expected is None)
        if refusal:
            assert refusal.drain_s >= 0
            return
        ticket = Ticket(kind, self.now, due, rows=1, max_rows=max_rows)
        if self.queue.join(ticket, self.now):
            self.refused.append(ticket)
            self.queue.leave()
        else:
            self.admitted += 1
        self._start()

    @precondition(lambda self: any(ticket.room for ticket in self.queue.waiting))
    @rule(number=st.integers(0, 10), wanted_for=st.sampled_from([0.05, 0.5, 25.0]))
    def request_that_shares(self, number: int, wanted_for: float) -> None:
        tickets = [ticket for ticket in self.queue.waiting if ticket.room]
        ticket, due = tickets[number % len(tickets)], self.now + wanted_for
        if self.queue.arrive(self.now, due):
            return
        if self.queue.share(ticket, 1, self.now, due):
            self.queue.leave()
        else:
            self.admitted += 1

    @precondition(lambda self: any(ticket.requests > 1 for ticket in self.queue.waiting))
    @rule(number=st.integers(0, 10))
    def client_leaves_others(self, number: int) -> None:
        shared = [ticket for ticket in self.queue.waiting if ticket.requests > 1]
        self.queue.unshare(shared[number % len(shared)], 1)
        self.queue.leave()

    @precondition(lambda self: self.queue.running)
    @rule(number=st.integers(0, 10))
    def score_ends(self, number: int) -> None:
        running = list(self.queue.running)
        ticket = running[number % len(running)]
        self.queue.finish(ticket, self.now)
        self._leave(ticket)
        self._start()

    @precondition(lambda self: self.queue.waiting)
    @rule(number=st.integers(0, 10))
    def client_leaves(self, number: int) -> None:
        ticket = self.queue.waiting[number % len(self.queue.waiting)]
        self.queue.withdraw(ticket)
        self._leave(ticket)

    def _leave(self, ticket: Ticket) -> None:
        for _ in range(ticket.requests):
            self.queue.leave()

    def _start(self) -> None:
        while ticket := self.queue.start(self.now):
            self.started.append(ticket)

    @invariant()
    def none_is_both_refused_and_computed(self) -> None:
        assert not set(self.refused) & set(self.started)
        assert not set(self.queue.waiting) & set(self.queue.running)
        assert len(self.started) == len(set(self.started))

    @invariant()
    def no_slot_is_free_while_somebody_waits(self) -> None:
        assert not self.queue.waiting or len(self.queue.running) >= self.queue.slots

    @invariant()
    def limits_are_kept(self) -> None:
        assert len(self.queue.running) <= self.queue.max_running
        tickets = [*self.queue.waiting, *self.queue.running]
        assert sum(ticket.requests for ticket in tickets) <= self.queue.max_requests
        assert all(ticket.rows <= max(ticket.max_rows, 1) for ticket in tickets)

    @invariant()
    def an_idle_worker_refuses_nobody_for_its_queue(self) -> None:
        if not self.queue.running:
            assert self.queue.would_refuse(self.now, LATER) is None


TestAnyTraffic = AnyTraffic.TestCase
