import math

import pytest

from mlops.load.goodput import capacity, goodput, overload_plan
from mlops.load.mix import RequestKind
from mlops.load.run import LoadPlan, LoadRun, SentRequest
from mlops.load.stages import Stage

LIMITS_MS = (200.0, 500.0)
PLAN = LoadPlan("http://h/score", {}, (), {}, (), bodies=("{}",))


def sent(due_s: float, latency_ms: float, status: int = 200) -> SentRequest:
    return SentRequest(0, RequestKind.GOOD, due_s, 0.0, latency_ms, status)


def test_goodput_is_what_was_in_time_as_a_share_of_capacity():
    """Late answers and refusals are not in it; only the second half of a load is counted."""
    stage = Stage(4, 40)
    first_half = [sent(i / 40, 1.0) for i in range(80)]
    second_half = [
        sent(2 + i / 40, *((150.0, 200), (300.0, 200), (600.0, 200), (3.0, 503))[i % 4])
        for i in range(80)
    ]
    measured = goodput([*first_half, *second_half], stage, 20.0, LIMITS_MS)
    assert measured.load == 2
    assert measured.within == {200.0: pytest.approx(0.5), 500.0: pytest.approx(1.0)}
    assert measured.refused == pytest.approx(0.25)
    assert (measured.refusal_p50_ms, measured.refusal_p99_ms) == (3.0, 3.0)


def test_no_answer_is_neither_good_nor_a_refusal():
    """Its times are unknown, not zero."""
    measured = goodput([sent(1.5, 5000.0, 0)], Stage(2, 1), 1.0, LIMITS_MS)
    assert measured.within == {200.0: 0.0, 500.0: 0.0}
    assert measured.refused == 0
    assert math.isnan(measured.refusal_p50_ms)
    assert math.isnan(measured.p95_ms)


def test_what_is_sent_after_a_load_does_not_count_for_it():
    """A stage that shows the recovery may follow."""
    after = [sent(2.5, 1.0), sent(3.5, 1.0)]
    assert goodput([sent(1.5, 1.0), *after], Stage(2, 1), 1.0, LIMITS_MS).within[200.0] == 1


def test_capacity_is_the_best_of_the_closed_loops(monkeypatch: pytest.MonkeyPatch):
    """Only answers count, after the first quarter and before the end."""
    runs = {
        4: [sent(i / 10, 50.0) for i in range(40)],
        64: [sent(i / 100, 1.0, 503) for i in range(400)] + [sent(3.99, 50.0)],
    }
    monkeypatch.setattr("mlops.load.goodput.run", lambda plan: LoadRun(runs[plan.connections], 0.1))
    assert capacity(PLAN, 4.0, (4, 64)) == pytest.approx(10.0)


def test_clients_of_an_overload_do_not_wait_for_each_other():
    """There are enough connections, and late answers are not waited for."""
    plan = overload_plan(PLAN, [Stage(1, 100)])
    assert plan.connections > 1000
    assert plan.patience_s is not None
    assert plan.patience_s < plan.timeout_s
