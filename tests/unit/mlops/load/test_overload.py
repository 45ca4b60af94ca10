import math
from pathlib import Path

import orjson
import pytest

from azureml_scoring.errors import StartupError
from mlops.load import multiples, overload
from mlops.load.goodput import Goodput
from mlops.load.mix import RequestKind
from mlops.load.run import LoadPlan, LoadRun, SentRequest

PLAN = LoadPlan("http://h/score", {}, (), {}, (), bodies=("{}",))


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overload, "REST_S", 0)


def answers_at(rate: float, seconds: float, latency_ms: float, status: int) -> list[SentRequest]:
    count = round(rate * seconds)
    return [
        SentRequest(0, RequestKind.GOOD, i / rate, 0.0, latency_ms, status) for i in range(count)
    ]


def test_multiples_are_offered_from_the_least():
    """They may be written in any order."""
    assert multiples.parse("2, 0.5,2,1e1") == [0.5, 2, 10]


def test_each_load_is_a_multiple_of_the_capacity(monkeypatch: pytest.MonkeyPatch):
    """A line says what was in time and what was refused."""

    def run(plan: LoadPlan) -> LoadRun:
        (stage,) = plan.stages
        status = 200 if stage.rate <= 10 else 503
        return LoadRun(answers_at(stage.rate, stage.seconds, 300.0, status), 0.1)

    monkeypatch.setattr(overload, "capacity", lambda *_: 10.0)
    monkeypatch.setattr(overload, "run", run)
    lines = [str(load) for load in overload.offer(PLAN, [0.5, 5], (200.0, 500.0))]
    assert lines == [
        "0.5 times, 5/s: goodput 0.00 within 200 ms, 0.50 within 500 ms; 0% refused",
        "5 times, 50/s: goodput 0.00 within 200 ms, 0.00 within 500 ms; 100% refused",
    ]


def test_a_server_without_a_right_answer_has_no_capacity(monkeypatch: pytest.MonkeyPatch):
    """The error says how to see why."""
    monkeypatch.setattr(overload, "capacity", lambda *_: 0.0)
    with pytest.raises(StartupError, match="--stages 10s@1"):
        list(overload.offer(PLAN, [1], (200.0, 500.0)))


def test_the_picture_comes_with_its_figures(tmp_path: Path):
    """Both may be written again; what was never measured is null."""
    point = Goodput(2.0, 10.0, {200.0: 0.9, 500.0: 1.0}, 0.0, 50.0, math.nan, math.nan)
    for _ in range(2):
        overload.check(tmp_path)
        file = overload.write("http://h", "now", [overload.LoadOutcome(point, 0.25)], tmp_path)
    assert "<svg" in file.read_text()
    figures = orjson.loads((tmp_path / "goodput.json").read_bytes())
    assert figures["generator_cpu"] == 0.25
    (load,) = figures["loads"]
    assert load["within"] == {"200.0": 0.9, "500.0": 1.0}
    assert load["refusal_p50_ms"] is None
