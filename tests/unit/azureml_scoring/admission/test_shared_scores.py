"""Requests that share a score, in the queue before the slots."""

import math

from azureml_scoring.admission.ticket import Ticket
from azureml_scoring.errors import OverloadReason
from slot_queues import LATER, ROW, opened, slot_queue, trained


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
