"""The soak of `make slo`, in short: what it does to the service, and what it says of it."""

import dataclasses
from pathlib import Path

import pytest

import settings
from mlops import example
from mlops.load.figures import Objectives
from mlops.load.mix import Kind
from mlops.load.report import Result
from mlops.load.run import Asked, Done
from mlops.load.stages import Stage
from mlops.soak.faults import KILLED, PHASES
from mlops.soak.soak import Soaked, soak
from mlops.soak.table import BEGIN, END, table, write

RATE, PHASE_S = 40, 3
KILLING = PHASES.index(KILLED)


def test_no_fault_costs_a_request(demo_model: Path, tmp_path: Path):
    """Redis freezes, a worker is killed, an instance restarted: all are answered but what the dead worker had."""
    rows = example.rows(settings.load({"AZUREML_MODEL_DIR": str(demo_model)}))
    soaked = soak(demo_model, rows, tmp_path, rate=RATE, phase_s=PHASE_S, follow=lambda _: None)
    asked = soaked.result.done.asked
    assert len(asked) == len(PHASES) * RATE * PHASE_S
    assert {each.stage for each in asked if not each.fine} <= {KILLING}
    assert len(soaked.memory) == len(PHASES)
    logs = {log.name: log.read_text() for log in tmp_path.glob("*.log")}
    assert sorted(logs) == ["one-1.log", "one-3.log", "two-2.log"]
    assert "SIGTERM: finishing what is in flight" in logs["one-1.log"]
    assert "Unexpected exit from worker" in logs["one-1.log"]
    assert "Redis" in logs["two-2.log"]
    assert all(phase in table(soaked) for phase in PHASES)


@pytest.fixture
def calm() -> Soaked:
    """Nothing went wrong."""
    asked = [
        Asked(place, Kind.GOOD, place + i / 100, 0.0, 2.0, 200) for place in range(len(PHASES)) for i in range(100)
    ]
    stages = [Stage(1, 100)] * len(PHASES)
    result = Result("http://h/score", "now", stages, Objectives(), Done(asked, 0.1))
    return Soaked(result, [100_000_000] * len(PHASES))


def with_one(soaked: Soaked, phase: str, status: int) -> Soaked:
    asked = [*soaked.result.done.asked, Asked(PHASES.index(phase), Kind.GOOD, 1.0, 0.0, 2.0, status)]
    stages = [stage for stage, _, _ in soaked.result.stages]
    objectives = Objectives(error_rate=0.5, availability=0.5)
    return dataclasses.replace(soaked, result=Result("http://h/score", "now", stages, objectives, Done(asked, 0.1)))


def test_a_calm_soak_holds(calm: Soaked):
    """The table says so."""
    assert calm.problems == []
    assert "All objectives held." in table(calm)


@pytest.mark.parametrize("phase", PHASES)
def test_one_lost_request_is_one_too_many(calm: Soaked, phase: str):
    """Whatever the objectives; but for what a killed worker had."""
    assert bool(with_one(calm, phase, 502).problems) is (phase != KILLED)
    assert with_one(calm, phase, 503).problems == []


def test_memory_that_grows_is_told(calm: Soaked):
    """By more than a tenth since the first phase."""
    assert dataclasses.replace(calm, memory=[100, 105, 107, 108, 109]).problems == []
    assert dataclasses.replace(calm, memory=[100, 105, 107, 110, 120]).problems == ["the memory grew by 20%"]


def test_the_table_has_its_place_in_the_page(tmp_path: Path):
    """What is around it stays; a second time changes nothing."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}old\n{END}after\n")
    for _ in range(2):
        write("new\n", page)
        assert page.read_text() == f"before\n{BEGIN}new\n{END}after\n"
