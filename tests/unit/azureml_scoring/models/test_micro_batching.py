import itertools
import threading
import time
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azureml_scoring.errors import (
    ClientGone,
    DeadlineExceeded,
    ModelFailed,
    ModelRefusedInput,
    Overloaded,
)
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.micro_batching import MicroBatcher
from joint_requests import BAD, BUSY, busy_worker, outcome, worker
from struck import Struck, no_thread, struck_at


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 1.0, 5.0, BAD]), min_size=1, max_size=5),
        min_size=1,
        max_size=8,
    ),
    st.integers(2, 12),
)
def test_an_answer_does_not_depend_on_who_was_joined(rows: list[list[float]], joint_rows: int):
    """Whatever comes together, each request gets the answers to its own rows, or its own error."""
    with busy_worker(joint_rows) as one:
        futures = [one.send(*values) for values in rows]
        one.model.release.set()
        assert [outcome(future) for future in futures] == [
            ModelRefusedInput if BAD in values else [2.0 * value for value in values]
            for values in rows
        ]


def test_requests_that_wait_for_a_slot_are_one_predict():
    """The batch is open for as long as it waits."""
    with busy_worker() as one:
        futures = [one.send(float(i)) for i in range(8)]
        one.model.release.set()
        assert [outcome(future) for future in futures] == [[2.0 * i] for i in range(8)]
        assert one.model.calls == [("predict", 8)]


def test_batches_grow_while_they_are_in_time():
    """A worker that has just started joins 8 rows at most; later it joins more."""
    with worker() as one:
        # all batches take the same time, however busy the machine is
        one.batcher = MicroBatcher(one.admission.slots, clock=lambda: 0.0)
        for i in range(40):
            assert outcome(one.send(*[float(i)] * 16)) == [2.0 * i] * 16
        one.send(BUSY)
        assert one.model.is_busy.wait(60)
        futures = [one.send(float(i)) for i in range(20)]
        one.model.release.set()
        assert [outcome(future) for future in futures] == [[2.0 * i] for i in range(20)]
        assert one.model.calls[40:] == [("predict", 20)]


def test_where_a_slot_is_free_nothing_waits_for_more_rows():
    """A request at ease is computed at once, alone."""
    with worker() as one:
        assert outcome(one.send(1.0)) == [2.0]
        assert outcome(one.send(2.0)) == [4.0]
        assert one.model.calls == [("predict", 1), ("predict", 1)]


def test_a_full_batch_is_followed_by_another():
    """No joint batch has more rows than allowed, and no request is split."""
    with busy_worker(joint_rows=5) as one:
        futures = [one.send(*[1.0] * rows) for rows in (2, 2, 3, 2, 7)]
        one.model.release.set()
        assert [len(outcome(future)) for future in futures] == [2, 2, 3, 2, 7]
        assert sorted(rows for _, rows in one.model.calls) == [4, 5, 7]


def test_methods_are_not_mixed():
    """Each has a joint batch of its own."""
    with busy_worker() as one:
        futures = [one.send(1.0, method=method) for method in ["predict", "predict_proba"] * 2]
        one.model.release.set()
        assert [outcome(future) for future in futures] == [[2.0]] * 4
        assert sorted(one.model.calls) == [("predict", 2), ("predict_proba", 2)]


def test_bad_values_are_only_their_own_requests_failure():
    """Halves are computed separately, so one bad request of 8 costs 6 calls more, not 8."""
    with busy_worker() as one:
        futures = [one.send(BAD if i == 5 else float(i)) for i in range(8)]
        one.model.release.set()
        assert [outcome(future) for future in futures] == [
            ModelRefusedInput if i == 5 else [2.0 * i] for i in range(8)
        ]
        assert len(one.model.calls) == 1 + 6


def test_rows_that_can_not_be_joined_are_computed_as_one_by_one():
    """Who sent another kind of row at the same time changes no bit of an answer."""
    with busy_worker() as one:
        one.model.predict_jointly = lambda batch: (
            one.model.predict(batch) if batch.X.min() > 5 else refused()
        )
        futures = [one.send(5.0 if i == 2 else 6.0 + i) for i in range(4)]
        one.model.release.set()
        assert [outcome(future) for future in futures] == [[12.0], [14.0], [10.0], [18.0]]
        assert sorted(one.model.calls) == [("predict", 1), ("predict", 1), ("predict", 2)]


def refused() -> list[float]:
    raise ModelFailed("Only the estimator answers some of the rows.")


def test_a_lone_request_that_fails_is_computed_once():
    """No other request was joined, so nothing is computed again."""
    with worker() as one:
        assert outcome(one.send(BAD)) is ModelRefusedInput
        assert len(one.model.calls) == 1


def test_rows_of_clients_that_are_gone_are_left_out():
    """The others' answers are theirs, whoever opened the batch."""
    gone = threading.Event()
    with busy_worker() as one:
        left = [one.send(1.0, gone=gone.is_set)]
        stayed = one.send(2.0)
        left.append(one.send(3.0, 4.0, gone=gone.is_set))
        gone.set()
        one.model.release.set()
        assert outcome(stayed) == [4.0]
        assert [outcome(future) for future in left] == [ClientGone, ClientGone]
        assert one.model.calls == [("predict", 1)]


def test_a_batch_that_nobody_wants_any_more_is_not_computed():
    """Its slot is free for the next request."""
    gone = threading.Event()
    with busy_worker() as one:
        left = [one.send(1.0, gone=gone.is_set) for _ in range(3)]
        gone.set()
        one.model.release.set()
        assert [outcome(future) for future in left] == [ClientGone] * 3
        assert one.model.calls == []
        assert outcome(one.send(2.0)) == [4.0]


def test_no_request_waits_while_a_client_is_asked_for():
    """To ask a socket takes time; others join and leave batches meanwhile."""
    asked, go_on = threading.Semaphore(0), threading.Event()

    def slow() -> bool:
        asked.release()
        return not go_on.wait(60)

    with busy_worker() as one:
        futures = [one.send(1.0), one.send(2.0, gone=slow)]
        one.model.release.set()
        for _ in ("by its own thread", "by the one that closes the batch"):
            assert asked.acquire(timeout=60)
        late = time.monotonic() - 1
        batch = Batch(np.ones((1, 1)), "predict")
        other = one.threads.submit(one.batcher.predict, one.model, batch, late)
        try:
            assert isinstance(other.exception(10), DeadlineExceeded)
        finally:
            go_on.set()
        assert [outcome(future) for future in futures] == [[2.0], [4.0]]


def test_a_request_past_its_deadline_gets_504_and_the_others_their_answers():
    """Its rows are left out, even if it opened the batch."""
    with busy_worker() as one:
        late = one.send(1.0, wanted_for=0.3)
        on_time = one.send(2.0)
        assert outcome(late) is DeadlineExceeded
        assert one.requests == 1
        one.model.release.set()
        assert outcome(on_time) == [4.0]
        assert one.model.calls == [("predict", 1)]


def test_a_request_waits_no_longer_than_its_deadline_for_a_joint_predict():
    """It gets 504 while the model still computes."""
    with worker() as one:
        first = one.send(BUSY, wanted_for=0.1)
        assert outcome(first) is DeadlineExceeded
        one.model.release.set()


def test_a_refused_request_leaves_no_batch_open():
    """The next one that is admitted opens another."""
    with worker() as one:
        due = time.monotonic() - 1
        with pytest.raises(DeadlineExceeded):
            one.batcher.predict(one.model, Batch(np.ones((1, 1)), "predict"), due)
        assert outcome(one.send(2.0)) == [4.0]


def test_in_flight_limits_hold_for_joined_requests():
    """Each takes a place, whoever computes it."""
    with worker(max_in_flight=2) as one:
        one.send(BUSY)
        assert one.model.is_busy.wait(60)
        waits = one.send(1.0)
        assert outcome(one.send(2.0)) is Overloaded
        one.model.release.set()
        assert outcome(waits) == [2.0]


def test_requests_whose_rows_do_not_go_together_fail_at_once():
    """No client waits until its deadline for a batch that could not be made."""
    with worker() as one:
        one.send(BUSY)
        assert one.model.is_busy.wait(60)
        waits = one.send(1.0)
        wide = Batch(np.ones((1, 2)), "predict")
        due = time.monotonic() + 1.0
        other = one.threads.submit(one._request, wide, due, lambda: False)
        while one.requests < 2 and not other.done():
            time.sleep(0.001)
        one.model.release.set()
        assert outcome(waits) is outcome(other) is ValueError


def test_an_alarm_that_strikes_while_a_batch_is_begun_costs_no_slot():
    """Wherever it strikes, the next request has a slot and its answer."""
    for place in itertools.count():
        with worker() as one:
            batch, due = Batch(np.ones((1, 1)), "predict"), time.monotonic() + 60
            with (
                suppress(Struck),
                one.admission.admit(due),
                struck_at(place, "micro_batching.py", "score_slots.py") as alarm,
            ):
                one.batcher.predict(one.model, batch, due)
            assert outcome(one.send(2.0)) == [4.0]
            if not alarm.is_set():
                return


def test_all_requests_of_a_batch_are_refused_if_no_thread_can_be_started(
    monkeypatch: pytest.MonkeyPatch,
):
    """None of them waits until its deadline, and the next ones have the slot."""
    with busy_worker() as one:
        futures = [one.send(float(i)) for i in range(3)]
        pool = one.admission.slots._threads
        monkeypatch.setattr(pool, "submit", lambda *_: no_thread(threading.current_thread()))
        one.model.release.set()
        assert [outcome(future) for future in futures] == [Overloaded] * 3
        monkeypatch.undo()
        one.model.is_busy.clear()
        assert outcome(one.send(2.0)) == [4.0]
