"""`mlops rollback` where the deployment to go back to was deleted, and how it is brought back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlops.endpoint import Source, State, Traffic
from mlops.exit_status import ExitStatus
from mlops.rollout import targets
from mlops.rollout.record import RolloutPhase
from still_endpoint import GREEN, ROLLING, SOURCE, Still, mlops, record


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Emptied(Still):
    """An endpoint whose blue was deleted."""

    def __init__(self) -> None:
        super().__init__({"green": 100})
        self.made_of = Source()
        self.there = {"green": State.READY}
        self.becomes = State.READY
        self.deployed: list[tuple[str, Source | None]] = []

    def deployments(self) -> dict[str, State]:
        return dict(self.there)

    def deploy(self, deployment: str, source: Source | None = None) -> None:
        assert record(self).phase is RolloutPhase.ROLLING, (
            "so that nobody begins a rollout meanwhile"
        )
        self.deployed.append((deployment, source))
        self.there[deployment] = self.becomes

    def copy_autoscale(self, old: str, new: str, *, floor: bool = False) -> None:
        self.scaled = (old, new)

    def remove_autoscale(self, deployment: str) -> None:
        self.unscaled = deployment


@pytest.fixture
def emptied(monkeypatch: pytest.MonkeyPatch) -> Emptied:
    made = Emptied()
    made.tags = replace(ROLLING, phase=RolloutPhase.PROMOTED, source=SOURCE).on({})
    monkeypatch.setattr(targets, "connector", lambda *_: lambda: made)
    return made


def test_where_the_old_one_was_deleted_it_is_told_how_to_bring_it_back(emptied: Emptied):
    """The model's version, the file and its commit."""
    status, told = mlops("rollback", "diabetes")
    assert status == ExitStatus.SERVER
    assert told == (
        "Error: blue is no longer there. It had azureml:diabetes:6, deployed by "
        "endpoints/blue-deployment.yml at "
        "commit 0123abcd. To bring it back and give it the traffic: mlops rollback diabetes "
        "--redeploy.\n"
    )
    assert emptied.in_force == Traffic({"green": 100})


def test_redeploy_brings_it_back_with_the_model_that_it_had(emptied: Emptied):
    """Then it gets the traffic. That the folder is at another commit is told."""
    Path("endpoints").mkdir()
    Path(SOURCE.file).write_text(GREEN)
    before = emptied.status()
    assert mlops("rollback", "diabetes", "--redeploy", "--plan")[0] == 0
    assert emptied.status() == before
    status, told = mlops("rollback", "diabetes", "--redeploy")
    assert status == 0
    assert "blue is deployed again: azureml:diabetes:6, by endpoints/blue-deployment.yml." in told
    assert "commit unknown; blue was deployed at 0123abcd" in told
    assert emptied.deployed == [("blue", SOURCE)]
    assert emptied.in_force == Traffic({"blue": 100})
    assert (emptied.scaled, emptied.unscaled) == (("green", "blue"), "green")
    assert record(emptied).phase is RolloutPhase.ROLLED_BACK


def test_one_that_does_not_get_ready_again_gets_no_traffic(emptied: Emptied):
    """The endpoint is as before, and free for another rollout."""
    Path("endpoints").mkdir()
    Path(SOURCE.file).write_text(GREEN)
    emptied.becomes = State.FAILED
    status, told = mlops("rollback", "diabetes", "--redeploy")
    assert status == ExitStatus.SERVER
    assert "blue did not get ready" in told
    assert emptied.in_force == Traffic({"green": 100})
    assert record(emptied).phase is RolloutPhase.PROMOTED
    assert "blue has failed" in mlops("rollback", "diabetes")[1]


def test_without_its_file_here_it_is_told_which_commit_has_it(emptied: Emptied):
    """Nothing is done."""
    status, told = mlops("rollback", "diabetes", "--redeploy")
    assert status == ExitStatus.SERVER
    assert "is not here; check out commit 0123abcd, or name the file by --file" in told
    assert emptied.deployed == []


def test_one_that_no_rollout_deployed_is_brought_back_by_a_file_that_is_named(
    emptied: Emptied, tmp_path: Path
):
    """An endpoint's first deployment is made by hand."""
    emptied.tags = replace(ROLLING, phase=RolloutPhase.PROMOTED, source=Source(SOURCE.model)).on({})
    assert "It had azureml:diabetes:6. To bring it back" in mlops("rollback", "diabetes")[1]
    status, told = mlops("rollback", "diabetes", "--redeploy")
    assert status == ExitStatus.SERVER
    assert "--redeploy --file FILE" in told
    (tmp_path / "blue.yml").write_text(GREEN)
    assert mlops("rollback", "diabetes", "--redeploy", "--file", "blue.yml")[0] == 0
    assert emptied.deployed == [("blue", Source(SOURCE.model))]
    assert emptied.in_force == Traffic({"blue": 100})


def test_what_had_no_registered_model_is_brought_back_by_hand(emptied: Emptied):
    """Its file may name another one by now."""
    emptied.tags = replace(
        ROLLING, phase=RolloutPhase.PROMOTED, source=replace(SOURCE, model="")
    ).on({})
    status, told = mlops("rollback", "diabetes", "--redeploy")
    assert status == ExitStatus.SERVER
    assert "its model is not on record; deploy it by hand" in told
    assert "mlops rollback diabetes --to blue" in told
    assert emptied.deployed == []
