"""`mlops rollback` as a person or a pipeline calls it: what it says, where it goes, and when it
goes nowhere."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlops.cli import main
from mlops.endpoint import Source, State, Traffic
from mlops.exit_status import ExitStatus
from mlops.rollout import controller, targets
from mlops.rollout.journal import Journal
from mlops.rollout.record import RolloutPhase, whoever
from still_endpoint import ROLLING, WORKSPACE, Still, half_way, mlops, record

SOURCE = Source(
    "azureml:diabetes:6",
    "azureml:source:3",
    "azureml:scoring:2",
    "endpoints/blue-deployment.yml",
    "0123abcd",
)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Still:
    """An endpoint half-way from blue to green."""
    made = half_way()
    monkeypatch.setattr(targets, "connector", lambda *_: lambda: made)
    return made


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_from_a_machine_without_a_journal_it_goes_to_what_served_before(endpoint: Still):
    """The endpoint's tags say by whom. A second call has nothing to do, and succeeds."""
    status, told = mlops("rollback", "diabetes")
    assert status == 0
    assert told.startswith("All traffic goes back to blue, away from green.\n")
    assert endpoint.in_force == Traffic({"blue": 100})
    assert (record(endpoint).phase, record(endpoint).by) == (RolloutPhase.ROLLED_BACK, whoever())
    assert endpoint.tags["team"] == "risk"
    status, told = mlops("rollback", "diabetes")
    assert (status, told.count("\n")) == (0, 1)
    assert "went back to blue already" in told


def test_it_needs_no_log(endpoint: Still):
    """Whoever rolls back in a hurry names the workspace and nothing else."""
    words = ["rollback", "diabetes"]
    done = CliRunner().invoke(main, words, env=WORKSPACE | {"LOG_ANALYTICS_WORKSPACE_ID": None})
    assert (done.exit_code, endpoint.in_force) == (0, Traffic({"blue": 100}))
    done = CliRunner().invoke(main, words, env=dict.fromkeys(WORKSPACE))
    assert done.exit_code == 2
    assert done.output.splitlines()[-1].endswith(
        "give --subscription (AZURE_SUBSCRIPTION_ID), --resource-group (AZURE_RESOURCE_GROUP), "
        "--workspace-name "
        "(AZURE_WORKSPACE)."
    )


def test_a_journal_of_an_earlier_rollout_is_not_gone_by(endpoint: Still):
    """Blue to green is on record here, while green to blue is under way: blue is the new one."""
    file = Path("build/rollout/diabetes.jsonl")
    Journal(file).write(
        "started", key="v2", endpoint="diabetes", plan={"old": "blue", "new": "green"}
    )
    endpoint.tags = replace(ROLLING, old="green", new="blue").on({})
    assert mlops("rollback", "diabetes")[0] == 0
    assert endpoint.in_force == Traffic({"green": 100})


def test_a_plan_is_told_and_nothing_done(endpoint: Still):
    """The endpoint and the journal stay as they are."""
    before = endpoint.status()
    assert mlops("rollback", "diabetes", "--plan") == (
        0,
        "All traffic goes back to blue, away from green.\n",
    )
    assert endpoint.status() == before
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("to", [(), ("--to", "blue")])
def test_two_who_roll_back_at_once_both_succeed(
    endpoint: Still, monkeypatch: pytest.MonkeyPatch, to: tuple[str, ...]
):
    """The second finds the traffic back."""
    deployments = endpoint.deployments

    def meanwhile() -> Mapping[str, State]:
        monkeypatch.setattr(endpoint, "deployments", deployments)
        assert mlops("rollback", "diabetes")[0] == 0
        return deployments()

    monkeypatch.setattr(endpoint, "deployments", meanwhile)
    status, told = mlops("rollback", "diabetes", *to)
    assert status == 0, told
    assert endpoint.in_force == Traffic({"blue": 100})


def test_tags_that_were_damaged_meanwhile_are_told_at_once(
    endpoint: Still, monkeypatch: pytest.MonkeyPatch
):
    """Asking again would not help."""
    deployments = endpoint.deployments

    def meanwhile() -> Mapping[str, State]:
        endpoint.tags = {"rollout-run": "x"}
        return deployments()

    monkeypatch.setattr(endpoint, "deployments", meanwhile)
    status, told = mlops("rollback", "diabetes")
    assert (status, "once more" in told) == (1, False)
    assert "mlops rollback diabetes --to NAME" in told


def test_a_rollout_that_began_meanwhile_is_not_rolled_back(
    endpoint: Still, monkeypatch: pytest.MonkeyPatch
):
    """Nobody has decided that yet."""
    deployments = endpoint.deployments

    def meanwhile() -> Mapping[str, State]:
        endpoint.tags = replace(ROLLING, run="another").on({})
        return deployments()

    monkeypatch.setattr(endpoint, "deployments", meanwhile)
    status, told = mlops("rollback", "diabetes")
    assert status == 1
    assert (
        "ci has begun another rollout of diabetes meanwhile, blue to green; call this again" in told
    )
    assert endpoint.in_force == Traffic({"blue": 50, "green": 50})


def test_without_any_rollout_there_is_nothing_to_do(endpoint: Still):
    """Which is no failure: a pipeline may always call it."""
    endpoint.tags = {"team": "risk"}
    status, told = mlops("rollback", "diabetes")
    assert (status, told) == (
        0,
        "No rollout is on record at diabetes; there is nothing to roll back.\n",
    )
    assert endpoint.in_force == Traffic({"blue": 50, "green": 50})


def test_a_rollout_that_has_not_moved_traffic_yet_is_stopped(endpoint: Still):
    """Blue has all of it, but green is being deployed."""
    endpoint.in_force = Traffic({"blue": 100})
    status, told = mlops("rollback", "diabetes")
    assert status == 0
    assert told.startswith("All traffic stays with blue, and the rollout that is under way ends.\n")
    assert record(endpoint).phase is RolloutPhase.ROLLED_BACK


@pytest.mark.parametrize("phase", [RolloutPhase.HELD, RolloutPhase.PROMOTED])
def test_a_rollout_that_ended_is_taken_back_as_long_as_the_old_one_is_there(
    endpoint: Still, phase: RolloutPhase
):
    """If a person has given it all traffic already, there is nothing to do."""
    endpoint.tags = replace(ROLLING, phase=phase).on({})
    endpoint.in_force = Traffic({"blue": 100})
    status, told = (
        mlops("rollback", "diabetes") if phase is RolloutPhase.HELD else (0, "nothing to roll back")
    )
    assert (status, "nothing to roll back" in told) == (0, True)
    endpoint.in_force = Traffic({"green": 100})
    assert mlops("rollback", "diabetes")[0] == 0
    assert endpoint.in_force == Traffic({"blue": 100})


@pytest.mark.parametrize(
    ("phase", "live"),
    [
        (RolloutPhase.ROLLING, {"blue": 50, "red": 50}),
        (RolloutPhase.ROLLING, {}),
        (RolloutPhase.HELD, {"red": 100}),
        (RolloutPhase.PROMOTED, {"blue": 50, "green": 50}),
        (RolloutPhase.ROLLED_BACK, {"green": 100}),
        (RolloutPhase.ROLLED_BACK, {"blue": 50, "green": 50}),
    ],
)
def test_traffic_that_somebody_else_directed_stays(
    endpoint: Still, phase: RolloutPhase, live: dict[str, int]
):
    """Unless a person says where it is to go."""
    endpoint.tags, endpoint.in_force = replace(ROLLING, phase=phase).on({}), Traffic(live)
    status, told = mlops("rollback", "diabetes")
    assert status == ExitStatus.SERVER
    assert "mlops rollback diabetes --to NAME" in told
    assert endpoint.in_force == Traffic(live)
    assert mlops("rollback", "diabetes", "--to", "blue")[0] == 0
    assert endpoint.in_force == Traffic({"blue": 100})


def test_one_that_is_being_deployed_does_not_get_the_traffic_yet(
    endpoint: Still, monkeypatch: pytest.MonkeyPatch
):
    """After a --redeploy that was cut off, Azure goes on deploying. A person may insist."""
    monkeypatch.setattr(
        endpoint, "deployments", lambda: {"blue": State.CREATING, "green": State.READY}
    )
    status, told = mlops("rollback", "diabetes")
    assert status == ExitStatus.SERVER
    assert "blue is being deployed or changed now; call this again when that has ended" in told
    assert endpoint.in_force == Traffic({"blue": 50, "green": 50})
    assert mlops("rollback", "diabetes", "--to", "blue")[0] == 0


def test_an_old_deployment_that_was_deployed_anew_does_not_get_the_traffic(endpoint: Still):
    """It has the name of the one that served, and another model."""
    endpoint.tags = replace(ROLLING, phase=RolloutPhase.HELD, source=SOURCE).on({})
    endpoint.made_of = replace(SOURCE, model="azureml:diabetes:8")
    status, told = mlops("rollback", "diabetes")
    assert status == ExitStatus.SERVER
    assert "blue was deployed anew since it served azureml:diabetes:6" in told
    assert "--to blue" in told
    assert endpoint.in_force == Traffic({"blue": 50, "green": 50})


def test_a_person_may_name_a_deployment_whatever_the_tags_say(endpoint: Still):
    """This works with unreadable tags too, which are an error without --to."""
    endpoint.tags = {"rollout-run": "x", "team": "risk"}
    status, told = mlops("rollback", "diabetes")
    assert status == ExitStatus.SERVER
    assert "not what a rollout writes" in told
    assert "--to NAME" in told
    assert endpoint.in_force == Traffic({"blue": 50, "green": 50})
    assert "no deployment red" in mlops("rollback", "diabetes", "--to", "red")[1]
    assert mlops("rollback", "diabetes", "--to", "green")[0] == 0
    assert endpoint.in_force == Traffic({"green": 100})
    assert record(endpoint).phase is RolloutPhase.ROLLED_BACK
    assert mlops("rollback", "diabetes", "--to", "green")[0] == 0


def test_what_is_on_record_of_one_deployment_is_not_taken_for_another(endpoint: Still):
    """A person has named green: the model that blue had says nothing of it."""
    endpoint.tags = replace(ROLLING, source=SOURCE).on({})
    assert mlops("rollback", "diabetes", "--to", "green")[0] == 0
    assert (record(endpoint).old, record(endpoint).source) == ("green", Source())


def test_a_pipeline_rolls_back_its_own_rollout_and_no_other(
    endpoint: Still, monkeypatch: pytest.MonkeyPatch
):
    """Its rollout may have been refused: what served since the last one's promotion is not to be
    touched."""
    monkeypatch.setenv("GITHUB_RUN_ID", "7")
    endpoint.in_force, endpoint.tags = (
        Traffic({"green": 100}),
        replace(ROLLING, phase=RolloutPhase.PROMOTED).on({}),
    )
    status, told = mlops("rollback", "diabetes", "--own")
    assert status == 0
    assert "is that of ci" in told
    assert endpoint.in_force == Traffic({"green": 100})
    endpoint.tags = {}
    assert mlops("rollback", "diabetes", "--own", "--to", "blue")[0] == 0
    assert endpoint.in_force == Traffic({"green": 100})
    endpoint.tags = replace(ROLLING, phase=RolloutPhase.PROMOTED, by=whoever()).on({})
    assert mlops("rollback", "diabetes", "--own")[0] == 0
    assert endpoint.in_force == Traffic({"blue": 100})


def test_a_make_rollback_goes_where_it_is_told_or_by_the_record():
    """``TO`` has a default, that of make rollout, which would be the new one."""
    repository = Path(controller.__file__).parents[2]

    def said(*words: str) -> str:
        done = subprocess.run(
            ["make", "--no-print-directory", "-n", "rollback", *words],
            cwd=repository,
            capture_output=True,
            text=True,
            check=True,
        )
        return " ".join(done.stdout.replace("\\\n", "").splitlines()[-1].split())

    assert "--" not in said().partition("mlops rollback")[2]
    assert said("TO=blue").endswith("--to blue")
    assert said("OWN=yes").endswith("--own")
