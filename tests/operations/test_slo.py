"""A short form of the soak of `make slo`: its faults and its verdicts."""

import csv
import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

import support
from blackbox.server import PATIENCE, until
from mlops.cli import main
from mlops.exit_status import ExitStatus
from mlops.load.figures import Objectives
from mlops.load.mix import RequestKind
from mlops.load.report import Result
from mlops.load.run import LoadRun, SentRequest
from mlops.load.stages import Stage
from mlops.soak.faults import KILLED, PHASES
from mlops.soak.soak import Soaked
from mlops.soak.table import BEGIN, END, table, write
from places import REPOSITORY

RATE, PHASE_S = 40, 2


@pytest.mark.deep
def test_no_fault_costs_a_request(tmp_path: Path):
    """Redis freezes, a worker is killed, an instance restarts: only requests in the dead worker are
    lost. In `make deep`: tests/blackbox has each fault by itself."""
    page = tmp_path / "page.md"
    page.write_text(f"{BEGIN}{END}")
    words = ("--rate", str(RATE), "--phase", str(PHASE_S), "--out", tmp_path, "--write", page)
    command = [sys.executable, "-m", "mlops", "slo", *map(str, words)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=REPOSITORY)
    assert "Traceback" not in done.stderr, done.stderr
    with (tmp_path / "requests.csv").open() as file:
        asked = list(csv.DictReader(file))
    assert len(asked) == len(PHASES) * RATE * PHASE_S, done.stdout + done.stderr
    assert {int(each["stage"]) for each in asked if each["fine"] == "0"} <= {PHASES.index(KILLED)}
    logs = {log.name: log.read_text() for log in tmp_path.glob("*.log")}
    assert sorted(logs) == ["one-1.log", "one-3.log", "two-2.log"]
    assert "SIGTERM: finishing what is in flight" in logs["one-1.log"]
    assert "was sent SIGKILL" in logs["one-1.log"]
    assert "Redis failed (TimeoutError), scoring goes on without it" in logs["two-2.log"]
    assert all(phase in page.read_text() for phase in PHASES)
    assert (done.returncode == 0) is ("All objectives held." in page.read_text())


SOAK = """
import sys
from pathlib import Path
from mlops.soak.soak import soak
soak(Path(sys.argv[1]), [[0.0]], Path(sys.argv[2]), rate=1, phase_s=60, follow=print)
"""
"""What `mlops slo` runs once it has packaged the demo's model."""


def test_nothing_is_left_of_a_soak_that_is_killed(tmp_path: Path):
    """Neither its servers nor its Redis stay."""
    model = support.scripted(tmp_path / "model")
    command = [sys.executable, "-c", SOAK, str(model), str(tmp_path)]
    env = os.environ | {"PYTHONPATH": f"{REPOSITORY}:{support.MODELS}"}
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=REPOSITORY, env=env
    ) as process:
        soak = psutil.Process(process.pid)
        until((tmp_path / "two-2.log").exists, "its servers are started")
        started = soak.children(recursive=True)
        process.kill()
        assert any("valkey" in each.name() for each in started)
    _, left = psutil.wait_procs(started, timeout=PATIENCE)
    assert left == []


@pytest.fixture
def calm() -> Soaked:
    """A soak in which nothing went wrong."""
    asked = [
        SentRequest(place, RequestKind.GOOD, place + i / 100, 0.0, 2.0, 200)
        for place in range(len(PHASES))
        for i in range(100)
    ]
    stages = [Stage(1, 100)] * len(PHASES)
    result = Result("http://h/score", "now", stages, Objectives(), LoadRun(asked, 0.1))
    return Soaked(result, [100_000_000] * len(PHASES))


def with_one(soaked: Soaked, phase: str, status: int) -> Soaked:
    asked = [
        *soaked.result.run.requests,
        SentRequest(PHASES.index(phase), RequestKind.GOOD, 1.0, 0.0, 2.0, status),
    ]
    stages = [stage for stage, _, _ in soaked.result.stages]
    objectives = Objectives(error_rate=0.5, availability=0.5)
    return dataclasses.replace(
        soaked, result=Result("http://h/score", "now", stages, objectives, LoadRun(asked, 0.1))
    )


def test_a_calm_soak_holds(calm: Soaked):
    """The table says that the objectives hold."""
    assert calm.problems == []
    assert "All objectives held." in table(calm)


@pytest.mark.parametrize("phase", PHASES)
def test_one_lost_request_is_one_too_many(calm: Soaked, phase: str):
    """A lost request fails the soak whatever the objectives, unless a killed worker had it."""
    assert bool(with_one(calm, phase, 502).problems) is (phase != KILLED)
    assert with_one(calm, phase, 503).problems == []


def test_memory_that_grows_is_told(calm: Soaked):
    """Growth by more than a tenth since the first phase is a failure."""
    assert dataclasses.replace(calm, memory=[100, 105, 107, 108, 109]).problems == []
    assert dataclasses.replace(calm, memory=[100, 105, 107, 110, 120]).problems == [
        "the memory grew by 20%"
    ]


def test_the_table_has_its_place_in_the_page(tmp_path: Path):
    """Only the table changes, and writing it twice changes nothing more."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}old\n{END}after\n")
    for _ in range(2):
        write("new\n", page)
        assert page.read_text() == f"before\n{BEGIN}new\n{END}after\n"


@pytest.mark.parametrize(
    ("page", "out", "said"),
    [
        (END + BEGIN, "out", "has no place for the table"),
        (BEGIN + END, "page.md/out", "Not a directory; choose another"),
    ],
)
def test_what_can_not_be_written_is_told_before_the_minutes(
    tmp_path: Path, page: str, out: str, said: str
):
    """The command fails before the soak starts, and the page stays as it is."""
    (tmp_path / "page.md").write_text(page)
    done = CliRunner().invoke(
        main, ["slo", "--write", str(tmp_path / "page.md"), "--out", str(tmp_path / out)]
    )
    assert (done.exit_code, said in done.output) == (ExitStatus.UNUSABLE, True), done.output
    assert (tmp_path / "page.md").read_text() == page
