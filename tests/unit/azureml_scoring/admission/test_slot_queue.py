"""Who gets a slot, who waits and who is refused, on a clock of the test's own."""

import math

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from azureml_scoring.admission.service_times import WorkKind
from azureml_scoring.admission.slot_queue import SlotQueue
from azureml_scoring.admission.ticket import Ticket
from azureml_scoring.admission.wait_limit import WaitLimit
from azureml_scoring.errors import OverloadReason

ROW, TABLE = WorkKind.of("predict", 1), WorkKind.of("predict", 100)
LATER = 1e9


def slot_queue(slots: int = 1, max_requests: int = 100, objective_s: float = 0.2) -> SlotQueue:
    return SlotQueue(
        WaitLimit(objective_s), slots=slots, max_running=2 * slots, max_requests=max_requests
    )


def trained(queue: SlotQueue, kind: WorkKind, seconds: float, now: float = 0.0) -> float:
    """Let the queue see five scores of this kind; return the time after them."""
    for _ in range(5):
        joined(queue, kind, now)
        ticket = queue.start(now)
        now += seconds
        queue.finish(ticket, now)
        queue.leave()
    return now


def joined(queue: SlotQueue, kind: WorkKind, now: float, due: float = LATER) -> Ticket:
    assert queue.arrive(now, due) is None
    ticket = Ticket(kind, now, due)
    assert queue.join(ticket, now) is None
    return ticket


def test_a_request_that_could_not_be_answered_before_its_deadline_is_refused():
    """Nothing is computed for a caller that has given up by then."""
    queue = slot_queue()
    now = trained(queue, ROW, 0.1)
    joined(queue, ROW, now)
    queue.start(now)
    refusal = queue.arrive(now, now + 0.15)
    assert refusal.reason is OverloadReason.DEADLINE
    assert 0.08 < refusal.drain_s < 0.12
    assert queue.arrive(now, now + 0.25) is None


def test_a_small_request_is_not_refused_for_the_time_that_large_ones_take():
    """Its caller allows it enough; how large it is shows once its body is read."""
    queue = slot_queue()
    now = trained(queue, ROW, 0.01)
    now = trained(queue, TABLE, 4.0, now)
    assert queue.expected.slot_s > 1.0
    joined(queue, ROW, now, due=now + 1.0)
    assert queue.arrive(now, now + 0.001).reason is OverloadReason.DEADLINE


def test_an_overload_ends_also_where_requests_share_scores():
    """Later ones that find a slot, or a score to share, are not taken for part of it."""
    queue = slot_queue(max_requests=10_000)
    now = trained(queue, ROW, 0.05)
    arrived = 0
    while not queue.limit.strict:
        now += 0.01
        arrived += queue.arrive(now, LATER) is None
    for _ in range(arrived):
        queue.leave()
    for _ in range(100):
        now += 0.2
        assert queue.arrive(now, LATER) is None
        ticket = Ticket(ROW, now, LATER, rows=1, max_rows=8)
        assert queue.join(ticket, now) is None
        queue.finish(queue.start(now), now + 0.05)
        queue.leave()
    assert not queue.limit.strict


def hopeful(queue: SlotQueue, kind: WorkKind, now: float, due: float) -> Ticket | None:
    """Return the ticket of a request that is admitted, or None."""
    ticket = Ticket(kind, now, due)
    assert queue.arrive(now, due) is None
    if queue.join(ticket, now):
        queue.leave()
        return None
    return ticket


def test_one_kind_that_was_slow_is_not_refused_for_ever_while_others_are_computed():
    """It is tried now and then, seldom enough to leave the slots to others; if it is quick again,
    that is learnt at once."""
    queue = slot_queue()
    now = trained(queue, TABLE, 4.0)
    tried = 0
    for quick in (False, True):
        for _ in range(500):
            now = trained(queue, ROW, 0.01, now + 0.3)
            if ticket := hopeful(queue, TABLE, now, due=now + 1.0):
                tried += 1
                assert queue.start(now) is ticket
                now += 0.02 if quick else 4.0
                queue.finish(ticket, now)
                queue.leave()
        assert tried > 1
        assert (tried > 250) is quick


def test_no_more_requests_are_admitted_than_the_worker_can_hold():
    """One that ends makes room for another."""
    queue = slot_queue(max_requests=2)
    assert queue.arrive(0.0, LATER) is None
    assert queue.arrive(0.0, LATER) is None
    assert queue.arrive(0.0, LATER).reason is OverloadReason.FULL
    queue.leave()
    assert queue.arrive(0.0, LATER) is None


def test_a_burst_waits_and_is_answered():
    """Several requests at once are not more work than can be done."""
    queue = slot_queue()
    now = trained(queue, ROW, 0.05)
    for _ in range(9):
        joined(queue, ROW, now)
    assert queue.arrive(now + 0.001, LATER) is None
    for _ in range(9):
        queue.finish(queue.start(now), now + 0.05)
        queue.leave()
        now += 0.05


def test_a_small_request_goes_before_a_large_one_that_came_just_before_it():
    """It hardly delays the large one, which would delay it by much."""
    queue = slot_queue()
    now = trained(queue, ROW, 0.002)
    now = trained(queue, TABLE, 0.1, now)
    joined(queue, ROW, now)
    running = queue.start(now)
    large = joined(queue, TABLE, now)
    small = joined(queue, ROW, now + 0.1)
    queue.finish(running, now + 0.1)
    assert queue.start(now + 0.1) is small
    queue.finish(small, now + 0.1)
    assert queue.start(now + 0.1) is large


def test_a_large_request_does_not_wait_for_ever():
    """Small ones that come later than twice the difference go after it."""
    queue = slot_queue()
    now = trained(queue, ROW, 0.002)
    now = trained(queue, TABLE, 0.1, now)
    joined(queue, ROW, now)
    queue.start(now)
    large = joined(queue, TABLE, now)
    joined(queue, ROW, now + 0.25)
    assert queue.waiting[0] is large


def test_a_score_that_takes_much_longer_than_expected_lends_its_slot():
    """Requests of ordinary length do not wait for it."""
    queue = slot_queue()
    now = trained(queue, ROW, 0.01)
    joined(queue, ROW, now)
    queue.start(now)
    second = joined(queue, ROW, now)
    assert queue.start(now + 0.02) is None
    assert math.isclose(queue.next_lending(now + 0.02), now + 0.03)
    assert queue.start(now + 0.031) is second
    joined(queue, ROW, now + 0.031)
    assert queue.start(now + 10) is None, "twice the slots at most"


def opened(queue: SlotQueue, now: float, max_rows: int = 8, due: float = LATER) -> Ticket:
    """A request of one row that others may share a score with."""
    assert queue.arrive(now, due) is None
    ticket = Ticket(ROW, now, due, rows=1, max_rows=max_rows)
    assert queue.join(ticket, now) is None
    return ticket


def test_a_request_that_shares_a_score_waits_only_for_its_slot():
    """Requests before it in the same score cost it nothing, also those whose bodies are read."""
    queue = slot_queue()
    now = trained(queue, ROW, 0.1)
    opened(queue, now)
    queue.start(now)
    ticket = opened(queue, now, max_rows=16)
    for _ in range(4):
        assert queue.arrive(now, LATER) is None
        assert queue.share(ticket, 1, now, LATER) is None
        assert queue.arrive(now, LATER) is None  # its body is being read
    too_late = queue.would_refuse(now, now)
    assert abs(too_late.drain_s - 0.1) < 0.02


def test_requests_that_share_a_score_are_not_refused_because_it_waits():
    """A refusal would shorten nobody's wait, even with more work than can be done."""
    queue = slot_queue()
    now = trained(queue, ROW, 0.3)
    queue.limit.strict = True
    opened(queue, now)
    queue.start(now)
    ticket = opened(queue, now)
    assert queue.arrive(now, LATER) is None
    assert queue.share(ticket, 1, now, LATER) is None


def test_a_shared_score_that_would_end_too_late_is_not_joined():
    """A request is refused if it can't be answered before its deadline."""
    queue = slot_queue()
    now = trained(queue, ROW, 0.1)
    opened(queue, now)
    queue.start(now)
    ticket = opened(queue, now)
    assert queue.share(ticket, 1, now, now + 0.15).reason is OverloadReason.DEADLINE
    assert (ticket.requests, ticket.rows) == (1, 1)


def test_a_request_costs_its_part_of_a_shared_score():
    """Twenty that share 100 ms take 5 ms each, so the offered load is told right."""
    queue = slot_queue()
    now = 0.0
    for _ in range(50):
        ticket = opened(queue, now, max_rows=64)
        for _ in range(19):
            assert queue.arrive(now, LATER) is None
            assert queue.share(ticket, 1, now, LATER) is None
        queue.start(now)
        now += 0.1
        queue.finish(ticket, now)
        for _ in range(20):
            queue.leave()
    assert math.isclose(queue.expected.slot_s, 0.005, rel_tol=0.1)


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
