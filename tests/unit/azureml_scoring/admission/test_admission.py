import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import pytest

from azureml_scoring.admission.admission import Admission
from azureml_scoring.admission.service_times import WorkKind
from azureml_scoring.errors import ClientGone, DeadlineExceeded, Overloaded, OverloadReason
from azureml_scoring.shared.scoreboard import WorkerRow
from struck import Struck, no_thread, struck_at

KIND = WorkKind("predict", 1)
MODULES = ("score_slots.py", "slot_queue.py")


def admission(row: WorkerRow, **options: Any) -> Admission:
    limits = {"slots": 1, "max_in_flight": 2, "objective": 0.02, "deadline": 30.0} | options
    return Admission(lambda: row, **limits)


@contextmanager
def occupied(limits: Admission) -> Iterator[None]:
    """One score that runs until the block ends."""
    running, release = threading.Event(), threading.Event()

    def score() -> None:
        running.set()
        release.wait()

    def request() -> None:
        with limits.admit() as due:
            limits.slots.compute(score, KIND, due)

    thread = threading.Thread(target=request)
    thread.start()
    assert running.wait(10)
    try:
        yield
    finally:
        release.set()
        thread.join()


def test_the_result_or_the_error_of_the_score_comes_back():
    """The place in flight is free again."""
    row = WorkerRow()
    limits = admission(row)
    with limits.admit() as due:
        assert row.in_flight == 1
        assert limits.slots.compute(lambda: 42, KIND, due) == 42
    with pytest.raises(ZeroDivisionError), limits.admit() as due:
        limits.slots.compute(lambda: 1 // 0, KIND, due)
    assert (row.in_flight, row.oldest_start, row.full_since) == (0, 0.0, 0.0)


def test_past_the_in_flight_limit_a_request_is_turned_down_at_once():
    """It does not wait for a slot."""
    limits = admission(WorkerRow(), objective=1000.0)
    with limits.admit(), limits.admit(), pytest.raises(Overloaded), limits.admit():
        pass


def test_those_answered_at_once_need_no_place():
    """They take no places from other requests, but all of them are in flight."""
    row = WorkerRow()
    limits = admission(row)
    with limits.at_once(1), limits.admit(), limits.admit():
        with pytest.raises(Overloaded), limits.admit():
            pass
        with limits.at_once(2):
            assert row.in_flight == 5
        assert row.in_flight == 3
    assert row.in_flight == 0


def test_past_the_queue_time_a_request_is_turned_down():
    """It does not wait for a slot that is not free in time."""
    limits = admission(WorkerRow())
    with occupied(limits), pytest.raises(Overloaded), limits.admit() as due:
        limits.slots.compute(lambda: None, KIND, due)
    with limits.admit() as due:  # free again
        limits.slots.compute(lambda: None, KIND, due)


def test_past_the_deadline_the_answer_is_given_up_and_the_slot_is_still_taken():
    """A running score can't be stopped, so its slot is not given to another one."""
    row, release = WorkerRow(), threading.Event()
    limits = admission(row, deadline=0.05)
    with pytest.raises(DeadlineExceeded), limits.admit() as due:
        limits.slots.compute(release.wait, KIND, due)
    assert row.in_flight == 0
    assert row.oldest_start > 0
    refused = (Overloaded, DeadlineExceeded)  # a busy machine may use up the 50 ms before
    with pytest.raises(refused), limits.admit() as due:
        limits.slots.compute(lambda: None, KIND, due)
    release.set()
    until = time.monotonic() + 10
    while row.oldest_start and time.monotonic() < until:
        time.sleep(0.01)
    assert row.oldest_start == 0.0


def test_the_row_tells_since_when_the_oldest_score_runs_and_all_slots_are_taken():
    """Another process can see that this one is stuck."""
    row = WorkerRow()
    limits = admission(row, slots=2, max_in_flight=3, lend=False)
    with occupied(limits):
        oldest = row.oldest_start
        assert (oldest > 0, row.full_since) == (True, 0.0)
        with occupied(limits):
            assert row.oldest_start == oldest
            assert row.full_since >= oldest
        until = time.monotonic() + 10
        while row.full_since and time.monotonic() < until:
            time.sleep(0.01)
        assert row.full_since == 0.0


def test_no_more_scores_have_a_slot_than_there_are_threads():
    """Once all threads are taken the row says so, and readiness sees it."""
    row = WorkerRow()
    limits = admission(row, max_in_flight=2)
    limits.slots.measured(48, parallelism=2, correct=True)
    assert limits.slots.count == row.admission.slots == 2
    with occupied(limits), occupied(limits):
        assert row.full_since > 0


def test_nothing_is_computed_for_a_client_that_has_hung_up():
    """Its slot is given to the next, and it does not count as a quick score."""
    limits, computed = admission(WorkerRow()), []
    with limits.admit() as due:
        limits.slots.compute(lambda: time.sleep(0.05), KIND, due)
    for _ in range(20):
        with pytest.raises(ClientGone), limits.admit() as due:
            limits.slots.compute(lambda: computed.append(1), KIND, due, gone=lambda: True)
    assert not computed
    wanted_for = 0.02
    with limits.admit() as due, pytest.raises(Overloaded) as refused:
        limits.slots.compute(lambda: computed.append(1), KIND, limits.due(None, wanted_for))
    assert refused.value.reason is OverloadReason.DEADLINE
    with limits.admit() as due:
        limits.slots.compute(lambda: computed.append(1), KIND, due)
    assert computed


def test_a_client_that_hangs_up_in_the_queue_is_not_computed():
    """It is asked for once its turn comes."""
    limits, left, computed = admission(WorkerRow(), objective=1000.0), threading.Event(), []

    def request() -> None:
        with pytest.raises(ClientGone), limits.admit() as due:
            limits.slots.compute(lambda: computed.append(1), KIND, due, gone=left.is_set)
        computed.append(0)

    waiting = threading.Thread(target=request)
    with occupied(limits):
        waiting.start()
        left.set()
    waiting.join()
    assert computed == [0]


def test_the_deadline_starts_with_the_first_byte_and_the_caller_can_only_shorten_it():
    """Three seconds of a body leave one of four."""
    limits = Admission(
        WorkerRow, slots=1, max_in_flight=1, objective=1.0, deadline=4.0, clock=lambda: 100.0
    )
    assert limits.due() == 104.0
    assert limits.due(97.0) == 101.0
    assert limits.due(97.0, 0.5) == 97.5
    assert limits.due(None, 60.0) == 104.0


def test_a_request_whose_time_is_over_is_refused_before_its_body_is_read():
    """The refusal says when to come back."""
    limits = admission(WorkerRow())
    error = limits.turn_away(time.monotonic() - 1)
    assert error.reason is OverloadReason.DEADLINE
    assert "allow more time" in error.message
    assert int(error.headers["retry-after-ms"]) > 0


def test_one_slow_score_does_not_have_later_requests_refused_for_ever():
    """Once nothing has been computed for a while, a request that seems hopeless is tried."""
    now, computed = [100.0], []
    limits = Admission(
        WorkerRow, slots=1, max_in_flight=2, objective=0.2, deadline=0.5, clock=lambda: now[0]
    )

    def slow() -> None:
        now[0] += 60.0

    with suppress(DeadlineExceeded), limits.admit() as due:  # it may have ended before it is asked
        limits.slots.compute(slow, KIND, due)
    with pytest.raises(Overloaded), limits.admit():
        pass
    now[0] += 1.0
    with limits.admit() as due:
        limits.slots.compute(lambda: computed.append(1), KIND, due)
    assert computed


def test_refused_work_counts_as_offered():
    """An autoscaler sees the load that arrives; the slots and who waits for them are published."""
    row, clock = WorkerRow(), FakeClock()
    limits = admission(row, clock=clock, slots=1, max_in_flight=1)
    assert row.admission.slots == 1

    def score() -> None:
        clock.now += 1.0

    for _ in range(3):
        with limits.admit() as due:
            limits.slots.compute(score, KIND, due)
    offered_s = row.admission.offered_s
    with limits.admit():
        for _ in range(5):
            clock.now += 0.1
            with pytest.raises(Overloaded), limits.admit():
                pass
    assert row.admission.offered_s == pytest.approx(offered_s + 6.0)
    assert row.admission.waiting == 0


def test_work_on_the_event_loop_counts_as_offered():
    """The loop is one thread: when it is always busy, the load is 1, whatever the slots."""
    row, clock = WorkerRow(), FakeClock()
    limits = admission(row, clock=clock, slots=4, max_in_flight=4)
    with limits.at_once(3):
        clock.now += 0.5
    assert row.admission.offered_s == pytest.approx(0.5 * 4)
    with limits.at_once(3, began=clock.now):  # they are read before
        clock.now += 0.25
    assert row.admission.offered_s == pytest.approx(0.75 * 4)
    clock.now += 1.0
    limits.refuse_inline(0.25, shedding=True)
    assert row.admission.offered_s == pytest.approx(1.0 * 4)
    assert row.admission.sheds(clock.now)
    limits.refuse_inline(0.0, shedding=False)
    assert not row.admission.sheds(clock.now)


def test_an_alarm_that_strikes_while_a_score_is_begun_costs_no_slot():
    """Wherever it strikes, the next request has a slot and its answer."""
    for place in itertools.count():
        limits, computed = admission(WorkerRow(), max_in_flight=100, lend=False), []
        score = computed.append
        with suppress(Struck), limits.admit() as due, struck_at(place, *MODULES) as alarm:
            limits.slots.compute(partial(score, 0), KIND, due)
        with limits.admit() as due:
            limits.slots.compute(partial(score, 1), KIND, due)
        assert computed in ([1], [0, 1])
        if not alarm.is_set():
            return


def test_a_request_is_refused_if_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch):
    """It gets an answer, its slot is free, and it is not computed later, when nobody waits."""
    limits, computed = admission(WorkerRow(), slots=2, lend=False), []
    with monkeypatch.context() as patch, limits.admit() as due:
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(Overloaded, match="another thread"):
            limits.slots.compute(lambda: computed.append(0), KIND, due)
    for _ in range(3):
        with limits.admit() as due:
            limits.slots.compute(lambda: computed.append(1), KIND, due)
    assert computed == [1, 1, 1]
    with occupied(limits), limits.admit() as due:
        limits.slots.compute(lambda: computed.append(1), KIND, due)


class FakeClock:
    now = 0.0

    def __call__(self) -> float:
        return self.now
