"""`mlops rollout --regions`: one command for all regions of a file."""

from dataclasses import replace
from pathlib import Path

import pytest

from front_door_splitter import FrontDoorSplitter
from mlops.endpoint import Traffic
from mlops.exit_status import ExitStatus
from mlops.rollout import region_sequence, run_rollout
from mlops.rollout.guard import Task
from mlops.rollout.journal import RolloutOutcome
from mlops.rollout.record import RolloutPhase
from regions_file import REGIONS
from still_endpoint import ROLLING, WORKSPACE, Still, mlops, started

NOWHERE = dict.fromkeys(WORKSPACE)


@pytest.fixture
def regions(tmp_path: Path) -> Path:
    file = tmp_path / "regions.toml"
    file.write_text(REGIONS)
    return file


@pytest.fixture
def front_door(monkeypatch: pytest.MonkeyPatch) -> FrontDoorSplitter:
    made = FrontDoorSplitter({"westeurope": lambda: 200, "swedencentral": lambda: 200})
    monkeypatch.setattr(region_sequence, "connect", lambda _: made)
    return made


def test_each_region_has_a_journal_of_its_own(
    endpoint: Still,
    tasks: list[Task],
    green: Path,
    regions: Path,
    front_door: FrontDoorSplitter,
    tmp_path: Path,
):
    """The file names the workspaces, so no option does."""
    out = tmp_path / "out"
    status, told = mlops("rollout", green, "--regions", regions, "--out", out, env=NOWHERE)
    assert status == 0, told
    assert [task.journal for task in tasks] == [
        out / "westeurope/diabetes.jsonl",
        out / "swedencentral/diabetes.jsonl",
    ]
    assert "Promoted in: westeurope, swedencentral." in told
    assert len(front_door.weights) == 4


def test_run_again_it_skips_the_regions_that_are_done(
    endpoint: Still,
    tasks: list[Task],
    green: Path,
    regions: Path,
    front_door: FrontDoorSplitter,
    tmp_path: Path,
):
    """A weight that was left low is its own again."""
    words = ("rollout", green, "--regions", regions, "--out", tmp_path / "out")
    mlops(*words)
    for task in tasks:
        started(task.journal, f"blue to green, {task.key}").write(
            "ended", outcome="promoted", reason="every step was proven", left=[]
        )
    endpoint.in_force = Traffic({"green": 100})
    endpoint.tags = replace(ROLLING, phase=RolloutPhase.PROMOTED).on({})
    front_door.set_weight("westeurope", 100)
    tasks.clear()
    status, told = mlops(*words)
    assert status == 0, told
    assert told.count("green has been promoted already") == 2
    assert not tasks
    assert {origin.weight for origin in front_door.origins().values()} == {900}


def test_the_exit_status_is_that_of_the_region_where_it_ended(
    endpoint: Still,
    tasks: list[Task],
    green: Path,
    regions: Path,
    front_door: FrontDoorSplitter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """Too few requests in the first region: the second is not begun."""
    monkeypatch.setattr(run_rollout, "guarded", lambda _: RolloutOutcome.INCONCLUSIVE)
    status, told = mlops("rollout", green, "--regions", regions, "--out", tmp_path / "out")
    assert status == ExitStatus.UNDECIDED
    assert "Region swedencentral" not in told
    assert "Not promoted in: westeurope, swedencentral." in told


def test_the_plan_of_each_region_is_told(endpoint: Still, green: Path, regions: Path):
    """Front Door is not asked."""
    status, told = mlops("rollout", green, "--regions", regions, "--plan", env=NOWHERE)
    assert status == 0
    assert told.count("1. deploy green with no traffic") == 2


@pytest.mark.parametrize("words", [("--hold", "50"), ("--inconclusive", "hold"), ("--power",)])
def test_what_a_person_must_look_at_is_for_one_region(
    endpoint: Still, green: Path, regions: Path, words: tuple[str, ...]
):
    """It is refused before Azure is asked."""
    status, told = mlops("rollout", green, "--regions", regions, *words)
    assert status == 2
    assert "name its workspace instead" in told
