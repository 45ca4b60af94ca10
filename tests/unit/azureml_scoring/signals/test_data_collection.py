import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from azureml_scoring.errors import ModelFailed, NotAcceptable, ScoringError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.request import Outcome
from azureml_scoring.signals import data_collection
from azureml_scoring.signals.data_collection import Collected, DataCollection, collected


def outcome(request_id: str = "id-1", rows: int = 2, bytes_in: int = 0) -> Outcome:
    batch = Batch(np.ones((rows, 2)), "predict")
    return Outcome(request_id, None, "t" * 32, bytes_in=bytes_in, batch=batch, predictions=b"[0,1]")


class Sink:
    """A sink that keeps what it gets, and fails the first times."""

    def __init__(self, *, fails: int = 0) -> None:
        self.seen: list[str] = []
        self.asked = threading.Semaphore(0)
        self._fails = fails

    def __call__(self, taken: Sequence[Collected]) -> None:
        try:
            if self._fails:
                self._fails -= 1
                raise RuntimeError("no")
            self.seen += [one.request_id for one in taken]
        finally:
            self.asked.release()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_collection, "HAND_OVER_INTERVAL_S", 0.01)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr("azureml_scoring.log.event", lambda message, *_: said.append(message))
    return said


def test_what_was_asked_and_answered_is_handed_on():
    """Requests do not wait for it, and keep their order."""
    sink = Sink()
    hook = DataCollection(lambda: sink, collected)
    hook(outcome("id-1"))
    hook(outcome("id-2"))
    while len(sink.seen) < 2:
        assert sink.asked.acquire(timeout=10)
    assert sink.seen == ["id-1", "id-2"]


def test_a_request_never_waits_and_memory_is_bounded(told: list[str]):
    """What does not fit is left out and counted, and logged once."""
    dropped: list[int] = []
    opened = threading.Event()

    def never() -> Any:
        opened.wait(10)
        return lambda taken: None

    hook = DataCollection(never, collected, drop=lambda: dropped.append(1))
    quarter = data_collection.MAX_WAITING_BYTES // 4 - 2 * data_collection.REQUEST_BYTES
    rows = quarter // data_collection.VALUE_BYTES // 2
    for number in range(6):
        hook(
            outcome(bytes_in=quarter) if number % 2 else outcome(rows=rows)
        )  # long texts as well as many numbers
    opened.set()
    assert len(dropped) == 2
    assert told == ["Requests come faster than their data can be collected; some are left out."]


def test_a_share_of_the_requests_is_taken():
    """They are drawn by lot; they are not the first ones."""
    lot, sink = iter([0.05, 0.5, 0.09, 0.95]), Sink()
    hook = DataCollection(lambda: sink, collected, share=0.1, lot=lambda: next(lot))
    for number in range(4):
        hook(outcome(str(number)))
    while len(sink.seen) < 2:
        assert sink.asked.acquire(timeout=10)
    assert sink.seen == ["0", "2"]


def test_a_sink_that_fails_is_told_once_and_asked_again(told: list[str]):
    """Later requests may succeed; those that are lost are counted."""
    sink, dropped = Sink(fails=2), list[int]()
    hook = DataCollection(lambda: sink, collected, drop=lambda: dropped.append(1))
    for number in range(3):
        hook(outcome(str(number)))
        assert sink.asked.acquire(timeout=10)
    assert sink.seen == ["2"]
    assert len(dropped) == 2
    assert told == ["The data of some requests could not be collected (RuntimeError)."]


def test_one_that_can_not_be_opened_disturbs_nothing(told: list[str]):
    """Requests go on; their data is counted as dropped, and not kept in memory."""
    dropped: list[int] = []

    def fail() -> Any:
        raise OSError("no such file")

    hook = DataCollection(fail, collected, drop=lambda: dropped.append(1))
    hook(outcome())
    assert hook._thread
    hook._thread.join(10)
    hook(outcome())
    assert (len(dropped), hook._waiting) == (2, [])
    assert told == ["Data can't be collected (OSError: no such file)."]


@pytest.mark.parametrize("error", [ModelFailed("no"), NotAcceptable("no")])
def test_requests_without_an_answer_are_not_collected(error: ScoringError):
    """Nor where the rows are valid and the model fails, or its predictions fit no form that the
    client takes."""
    failed = outcome()
    failed.error = error
    hook = DataCollection(pytest.fail, collected)
    hook(failed)
    hook(Outcome("id-1", None, "t" * 32, error=error))
    assert hook._thread is None


def test_no_more_of_a_second_is_taken_than_is_looked_at():
    """What is left out was not meant to be collected, and is not counted as lost."""
    sink, dropped = Sink(), []
    hook = DataCollection(lambda: sink, collected, most=3, drop=lambda: dropped.append(1))
    for number in range(10):
        hook(outcome(f"id-{number}"))
    assert sink.asked.acquire(timeout=10)
    assert sink.seen == ["id-0", "id-1", "id-2"]
    assert not dropped
