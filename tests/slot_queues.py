"""Queues of a worker that have seen some scores, on a clock of the test's own."""

from azureml_scoring.admission.service_times import WorkKind
from azureml_scoring.admission.slot_queue import SlotQueue
from azureml_scoring.admission.ticket import Ticket
from azureml_scoring.admission.wait_limit import WaitLimit

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


def opened(queue: SlotQueue, now: float, max_rows: int = 8, due: float = LATER) -> Ticket:
    """A request of one row that others may share a score with."""
    assert queue.arrive(now, due) is None
    ticket = Ticket(ROW, now, due, rows=1, max_rows=max_rows)
    assert queue.join(ticket, now) is None
    return ticket
