import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from azureml_scoring.errors import StartupError
from azureml_scoring.models import concurrency_trial
from azureml_scoring.models.concurrency import MAX_SLOTS, ROWS_TOGETHER, Concurrency
from azureml_scoring.models.concurrency_trial import trial

pytestmark = pytest.mark.usefixtures("whole_trial")

MATRIX = np.arange(10_000).reshape(100, 100) % 97
"""Whole numbers: their product needs no BLAS, has no threads and frees the GIL."""

ATTEMPTS = 3
"""A trial may be disturbed on a busy machine; the tests state what one of three shows."""


def hold_gil() -> None:
    sum(range(400_000))


def free_gil() -> None:
    for _ in range(5):
        np.matmul(MATRIX, MATRIX)


def wait() -> None:
    time.sleep(0.02)


def tried(
    one: Callable[[], object],
    rows: Callable[[], object] | None = None,
    *,
    processors: int = 2,
    until: Callable[[Concurrency], bool] = lambda result: True,
) -> Concurrency:
    for _ in range(ATTEMPTS):
        result = trial(one, rows or one, processors=processors)
        if until(result):
            break
    return result


@pytest.mark.slow
@pytest.mark.parametrize(
    ("score", "kind"),
    [(hold_gil, "holds the GIL"), (free_gil, "frees the GIL"), (wait, "waits")],
)
def test_a_trial_tells_what_the_model_does(score: Callable[[], None], kind: str):
    """However busy the machine is."""
    assert tried(score, until=lambda result: result.kind == kind).kind == kind


@pytest.mark.slow
def test_slots_follow_from_what_the_model_does():
    """Who waits gets many, who frees the GIL gets the processors, who holds it gets one."""
    held = tried(hold_gil, until=lambda result: result.slots == 1)
    freed = tried(free_gil, until=lambda result: result.slots == 2)
    waited = tried(wait)
    assert held.slots < freed.slots < waited.slots <= MAX_SLOTS


def test_one_processor_is_tried_alone():
    """No thread is started for it."""
    threads = set[int]()

    def score() -> None:
        threads.add(threading.get_ident())
        wait()

    assert trial(score, score, processors=1).slots > 1
    assert threads == {threading.get_ident()}


@pytest.mark.slow
def test_a_slow_model_is_asked_three_times():
    """Start-up takes no longer than it must: one score alone and two at once, and no rows."""
    calls, rows = [], []

    def score() -> None:
        calls.append(0)
        until = time.thread_time() + 0.3
        while time.thread_time() < until:
            pass

    trial(score, lambda: rows.append(0), processors=2)
    assert len(calls) == 3
    assert not rows


@pytest.mark.parametrize(
    ("cost_s", "cheaper"), [(lambda rows: 0.01, True), (lambda rows: 0.01 * rows, False)]
)
def test_rows_together_are_cheaper_or_not(cost_s: Callable[[int], float], cheaper: bool):
    """A call with a price of its own, and a price by row. Either is clear at once, so start-up does
    not wait for more."""
    calls = []

    def rows_together() -> None:
        calls.append(0)
        time.sleep(cost_s(ROWS_TOGETHER))

    result = trial(lambda: time.sleep(cost_s(1)), rows_together, processors=1)
    assert result.rows_together_are_cheaper is cheaper
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("slowdowns", "kind"),
    [
        ([2.0], "holds the GIL"),
        ([1.0], "frees the GIL"),
        ([1.4, 1.1], "frees the GIL"),
        ([1.4, 1.4, 1.4], "holds the GIL"),
    ],
)
def test_scores_at_once_are_tried_again_only_if_noise_may_decide(
    slowdowns: list[float], kind: str, monkeypatch: pytest.MonkeyPatch
):
    """A clear figure is not doubted; the least of others counts, as noise only adds."""
    left = slowdowns.copy()
    monkeypatch.setattr(concurrency_trial, "_slowdown", lambda *_: left.pop(0))
    monkeypatch.setattr(concurrency_trial, "BUDGET_S", 60.0)
    assert trial(hold_gil, hold_gil, processors=2).kind == kind
    assert not left


def test_a_model_that_fails_beside_another_score_must_be_alone():
    """A client library that takes one call at a time, say: the service starts, with one slot."""
    busy = threading.Lock()

    def score() -> None:
        if not busy.acquire(blocking=False):
            raise SystemExit("busy")
        time.sleep(0.01)
        busy.release()

    result = trial(score, score, processors=2)
    assert (result.kind, result.slots) == ("must be alone", 1)


def test_a_model_that_fails_alone_raises():
    """As at its warm-up."""

    def score() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        trial(score, score, processors=2)


def test_a_model_that_hangs_beside_another_score_is_named_at_start(
    monkeypatch: pytest.MonkeyPatch,
):
    """The start does not hang with it, and the message names the setting that helps."""
    monkeypatch.setattr(concurrency_trial, "MIN_PATIENCE_S", 0.2)
    alone, end = threading.Lock(), threading.Event()

    def hangs_beside_another() -> None:
        if alone.acquire(blocking=False):
            time.sleep(0.01)
            alone.release()
        else:
            end.wait()

    with pytest.raises(StartupError, match="SCORING_SLOTS=1"):
        trial(hangs_beside_another, lambda: None, processors=2)
    end.set()
