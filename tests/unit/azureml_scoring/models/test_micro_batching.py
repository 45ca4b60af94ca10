import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azureml_scoring.admission.service_times import WorkKind
from azureml_scoring.errors import DeadlineExceeded, ModelRefusedInput, Overloaded
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.micro_batching import MicroBatcher

BAD = -1.0


class Model:
    """Doubles the first value, refuses a batch with BAD in it, and keeps its batches."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def __call__(self, batch: Batch) -> list[Any]:
        self.asked.append((batch.method, len(batch.X)))
        if (batch.X == BAD).any():
            raise ModelRefusedInput("no")
        return (batch.X[:, 0] * 2).tolist()


def at_once(score: Callable[[], list[Any]], kind: WorkKind, due: float) -> list[Any]:
    return score()


def batch(*values: float, method: str = "predict") -> Batch:
    return Batch(np.array([[value] for value in values]), method)


def ask_all(batcher: MicroBatcher, model: Model, batches: list[Batch]) -> list[Any]:
    """All at once; an error in place of answers where there was one."""
    there = threading.Barrier(len(batches))

    def ask(one: Batch) -> Any:
        there.wait(30)
        try:
            return batcher.predict(model, one, time.monotonic() + 30)
        except Exception as error:
            return type(error)

    with ThreadPoolExecutor(len(batches)) as threads:
        return list(threads.map(ask, batches))


@settings(max_examples=30)
@given(
    st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=5), min_size=1, max_size=8),
    st.integers(1, 12),
)
def test_an_answer_does_not_depend_on_who_was_joined(rows: list[list[int]], max_rows: int):
    """Whatever comes together, each request gets the answers to its own rows."""
    model = Model()
    batcher = MicroBatcher(at_once, window=0.005, max_rows=max_rows)
    answers = ask_all(batcher, model, [batch(*map(float, values)) for values in rows])
    assert answers == [[2.0 * value for value in values] for values in rows]
    assert sum(count for _, count in model.asked) == sum(map(len, rows))


def test_requests_at_once_are_one_predict():
    """A full batch does not wait for the rest of the window."""
    model = Model()
    began = time.monotonic()
    ask_all(
        MicroBatcher(at_once, window=60, max_rows=6), model, [batch(float(i)) for i in range(6)]
    )
    assert model.asked == [("predict", 6)]
    assert time.monotonic() - began < 60


def test_methods_are_not_mixed():
    """A batch is not split either."""
    model = Model()
    batches = [
        batch(1.0),
        batch(2.0, method="predict_proba"),
        batch(3.0),
        batch(4.0, method="predict_proba"),
    ]
    ask_all(MicroBatcher(at_once, window=60, max_rows=2), model, batches)
    assert sorted(model.asked) == [("predict", 2), ("predict_proba", 2)]


def test_bad_values_are_only_their_own_requests_failure():
    """The others are computed again, without them."""
    model = Model()
    answers = ask_all(
        MicroBatcher(at_once, window=60, max_rows=3), model, [batch(1.0), batch(BAD), batch(2.0)]
    )
    assert answers == [[2.0], ModelRefusedInput, [4.0]]


def test_a_lone_request_that_fails_is_asked_once():
    """No other request was joined, so nothing is computed again."""
    model = Model()
    assert ask_all(MicroBatcher(at_once, window=0, max_rows=3), model, [batch(BAD)]) == [
        ModelRefusedInput
    ]
    assert len(model.asked) == 1


def test_a_batch_larger_than_the_bound_is_computed_as_it_is():
    """The bound is for joining."""
    model = Model()
    assert ask_all(MicroBatcher(at_once, window=60, max_rows=2), model, [batch(1.0, 2.0, 3.0)]) == [
        [2.0, 4.0, 6.0]
    ]


def test_what_the_queue_says_is_said_to_all():
    """Overloaded is overloaded: they do not come back one by one."""
    asked = []

    def overloaded(score: Callable[[], list[Any]], kind: WorkKind, due: float) -> list[Any]:
        asked.append(due)
        raise Overloaded("later")

    answers = ask_all(
        MicroBatcher(overloaded, window=60, max_rows=3),
        Model(),
        [batch(float(i)) for i in range(3)],
    )
    assert answers == [Overloaded] * 3
    assert len(asked) == 1


def test_a_request_waits_no_longer_than_its_deadline():
    """Whatever the one is at that computes for it."""
    joined, release = threading.Event(), threading.Event()

    def slow(score: Callable[[], list[Any]], kind: WorkKind, due: float) -> list[Any]:
        joined.set()
        release.wait(60)
        return score()

    batcher = MicroBatcher(slow, window=60, max_rows=2)
    with ThreadPoolExecutor(1) as threads:
        leader = threads.submit(batcher.predict, Model(), batch(1.0), time.monotonic() + 300)
        while not batcher._open:
            time.sleep(0.001)
        with pytest.raises(DeadlineExceeded):
            batcher.predict(Model(), batch(2.0), time.monotonic() + 0.05)
        assert joined.wait(30)
        release.set()
        assert leader.result() == [2.0]
