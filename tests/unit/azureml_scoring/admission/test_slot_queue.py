"""Who gets a slot and who waits, on a clock of the test's own."""

import math

from azureml_scoring.errors import OverloadReason
from slot_queues import LATER, ROW, TABLE, joined, slot_queue, trained


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
