"""Who is refused by the wait that is expected, on a clock of the test's own."""

from azureml_scoring.admission.service_times import WorkKind
from azureml_scoring.admission.slot_queue import SlotQueue
from azureml_scoring.admission.ticket import Ticket
from azureml_scoring.errors import OverloadReason
from slot_queues import ROW, TABLE, joined, slot_queue, trained


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
