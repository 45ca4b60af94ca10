"""`mlops rollback` as a person or a pipeline calls it: what it says, where it goes, and when it goes nowhere."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mlops.cli import main
from mlops.rollout import controller, rollback, targets
from mlops.rollout.endpoint import EndpointError, Source, State, Status, Traffic
from mlops.rollout.journal import Journal
from mlops.rollout.plan import steps
from mlops.rollout.record import Phase, Record, whoever
from simulated_endpoint import NEW, OLD, PLAN, Killed, Simulated, all_events
from simulated_endpoint import rollout as roll_out
from still_endpoint import GREEN, ROLLING, WORKSPACE, Still

SOURCE = Source(
    "azureml:diabetes:6", "azureml:source:3", "azureml:scoring:2", "endpoints/blue-deployment.yml", "0123abcd"
)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Still:
    """Half-way from blue to green."""
    made = Still({"blue": 50, "green": 50})
    made.tags = ROLLING.on({"team": "risk"})
    made.made_of = Source()
    monkeypatch.setattr(targets, "connector", lambda *_: lambda: made)
    return made


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def mlops(*words: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(word) for word in words], env=WORKSPACE)
    return result.exit_code, result.output


def record(endpoint: Still) -> Record:
    found = Record.read(endpoint.tags, "diabetes")
    assert found
    return found


def test_from_a_machine_without_a_journal_it_goes_to_what_served_before(endpoint: Still):
    """And the endpoint's tags say by whom; a second call has nothing to do, and succeeds."""
    status, told = mlops("rollback", "diabetes")
    assert status == 0
    assert told.startswith("All traffic goes back to blue, away from green.\n")
    assert endpoint.in_force == Traffic({"blue": 100})
    assert (record(endpoint).phase, record(endpoint).by) == (Phase.ROLLED_BACK, whoever())
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
        "give --subscription (AZURE_SUBSCRIPTION_ID), --resource-group (AZURE_RESOURCE_GROUP), --workspace-name "
        "(AZURE_WORKSPACE)."
    )


def test_a_journal_of_an_earlier_rollout_is_not_gone_by(endpoint: Still):
    """Blue to green is on record here, while green to blue is under way: blue is the new one."""
    file = Path("build/rollout/diabetes.jsonl")
    Journal(file).write("started", key="v2", endpoint="diabetes", plan={"old": "blue", "new": "green"})
    endpoint.tags = replace(ROLLING, old="green", new="blue").on({})
    assert mlops("rollback", "diabetes")[0] == 0
    assert endpoint.in_force == Traffic({"green": 100})


def test_a_plan_is_told_and_nothing_done(endpoint: Still):
    """Neither at the endpoint nor here."""
    before = endpoint.status()
    assert mlops("rollback", "diabetes", "--plan") == (0, "All traffic goes back to blue, away from green.\n")
    assert endpoint.status() == before
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("to", [(), ("--to", "blue")])
def test_two_who_roll_back_at_once_both_succeed(endpoint: Still, monkeypatch: pytest.MonkeyPatch, to: tuple[str, ...]):
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


def test_tags_that_were_damaged_meanwhile_are_told_at_once(endpoint: Still, monkeypatch: pytest.MonkeyPatch):
    """Asking again would not help."""
    deployments = endpoint.deployments

    def meanwhile() -> Mapping[str, State]:
        endpoint.tags = {"rollout-run": "x"}
        return deployments()

    monkeypatch.setattr(endpoint, "deployments", meanwhile)
    status, told = mlops("rollback", "diabetes")
    assert (status, "once more" in told) == (1, False)
    assert "mlops rollback diabetes --to NAME" in told


def test_a_rollout_that_began_meanwhile_is_not_rolled_back(endpoint: Still, monkeypatch: pytest.MonkeyPatch):
    """Nobody has decided that yet."""
    deployments = endpoint.deployments

    def meanwhile() -> Mapping[str, State]:
        endpoint.tags = replace(ROLLING, run="another").on({})
        return deployments()

    monkeypatch.setattr(endpoint, "deployments", meanwhile)
    status, told = mlops("rollback", "diabetes")
    assert status == 1
    assert "ci has begun another rollout of diabetes meanwhile, blue to green; call this again" in told
    assert endpoint.in_force == Traffic({"blue": 50, "green": 50})


def test_without_any_rollout_there_is_nothing_to_do(endpoint: Still):
    """Which is no failure: a pipeline may always call it."""
    endpoint.tags = {"team": "risk"}
    status, told = mlops("rollback", "diabetes")
    assert (status, told) == (0, "No rollout is on record at diabetes; there is nothing to roll back.\n")
    assert endpoint.in_force == Traffic({"blue": 50, "green": 50})


def test_a_rollout_that_has_not_moved_traffic_yet_is_stopped(endpoint: Still):
    """Blue has all of it, but green is being deployed."""
    endpoint.in_force = Traffic({"blue": 100})
    status, told = mlops("rollback", "diabetes")
    assert status == 0
    assert told.startswith("All traffic stays with blue, and the rollout that is under way ends.\n")
    assert record(endpoint).phase is Phase.ROLLED_BACK


@pytest.mark.parametrize("phase", [Phase.HELD, Phase.PROMOTED])
def test_a_rollout_that_ended_is_taken_back_as_long_as_the_old_one_is_there(endpoint: Still, phase: Phase):
    """Where a person has given it all traffic already, there is nothing to do."""
    endpoint.tags = replace(ROLLING, phase=phase).on({})
    endpoint.in_force = Traffic({"blue": 100})
    status, told = mlops("rollback", "diabetes") if phase is Phase.HELD else (0, "nothing to roll back")
    assert (status, "nothing to roll back" in told) == (0, True)
    endpoint.in_force = Traffic({"green": 100})
    assert mlops("rollback", "diabetes")[0] == 0
    assert endpoint.in_force == Traffic({"blue": 100})


@pytest.mark.parametrize(
    ("phase", "live"),
    [
        (Phase.ROLLING, {"blue": 50, "red": 50}),
        (Phase.ROLLING, {}),
        (Phase.HELD, {"red": 100}),
        (Phase.PROMOTED, {"blue": 50, "green": 50}),
        (Phase.ROLLED_BACK, {"green": 100}),
        (Phase.ROLLED_BACK, {"blue": 50, "green": 50}),
    ],
)
def test_traffic_that_somebody_else_directed_stays(endpoint: Still, phase: Phase, live: dict[str, int]):
    """Unless a person says where it is to go."""
    endpoint.tags, endpoint.in_force = replace(ROLLING, phase=phase).on({}), Traffic(live)
    status, told = mlops("rollback", "diabetes")
    assert status == 1
    assert "mlops rollback diabetes --to NAME" in told
    assert endpoint.in_force == Traffic(live)
    assert mlops("rollback", "diabetes", "--to", "blue")[0] == 0
    assert endpoint.in_force == Traffic({"blue": 100})


def test_one_that_is_being_deployed_does_not_get_the_traffic_yet(endpoint: Still, monkeypatch: pytest.MonkeyPatch):
    """As after a --redeploy that was cut off: Azure goes on with it. A person may insist."""
    monkeypatch.setattr(endpoint, "deployments", lambda: {"blue": State.CREATING, "green": State.READY})
    status, told = mlops("rollback", "diabetes")
    assert status == 1
    assert "blue is being deployed or changed now; call this again when that has ended" in told
    assert endpoint.in_force == Traffic({"blue": 50, "green": 50})
    assert mlops("rollback", "diabetes", "--to", "blue")[0] == 0


def test_an_old_deployment_that_was_deployed_anew_does_not_get_the_traffic(endpoint: Still):
    """It has the name of the one that served, and another model."""
    endpoint.tags = replace(ROLLING, phase=Phase.HELD, source=SOURCE).on({})
    endpoint.made_of = replace(SOURCE, model="azureml:diabetes:8")
    status, told = mlops("rollback", "diabetes")
    assert status == 1
    assert "blue was deployed anew since it served azureml:diabetes:6" in told
    assert "--to blue" in told
    assert endpoint.in_force == Traffic({"blue": 50, "green": 50})


def test_a_person_may_name_a_deployment_whatever_the_tags_say(endpoint: Still):
    """Also where nobody can read them, which is told without --to."""
    endpoint.tags = {"rollout-run": "x", "team": "risk"}
    status, told = mlops("rollback", "diabetes")
    assert status == 1
    assert "not what a rollout writes" in told
    assert "--to NAME" in told
    assert endpoint.in_force == Traffic({"blue": 50, "green": 50})
    assert "no deployment red" in mlops("rollback", "diabetes", "--to", "red")[1]
    assert mlops("rollback", "diabetes", "--to", "green")[0] == 0
    assert endpoint.in_force == Traffic({"green": 100})
    assert record(endpoint).phase is Phase.ROLLED_BACK
    assert mlops("rollback", "diabetes", "--to", "green")[0] == 0


def test_what_is_on_record_of_one_deployment_is_not_taken_for_another(endpoint: Still):
    """A person has named green: the model that blue had says nothing of it."""
    endpoint.tags = replace(ROLLING, source=SOURCE).on({})
    assert mlops("rollback", "diabetes", "--to", "green")[0] == 0
    assert (record(endpoint).old, record(endpoint).source) == ("green", Source())


def test_a_pipeline_rolls_back_its_own_rollout_and_no_other(endpoint: Still, monkeypatch: pytest.MonkeyPatch):
    """Its rollout may have been refused: what served since the last one's promotion is not to be touched."""
    monkeypatch.setenv("GITHUB_RUN_ID", "7")
    endpoint.in_force, endpoint.tags = Traffic({"green": 100}), replace(ROLLING, phase=Phase.PROMOTED).on({})
    status, told = mlops("rollback", "diabetes", "--own")
    assert status == 0
    assert "is that of ci" in told
    assert endpoint.in_force == Traffic({"green": 100})
    endpoint.tags = {}
    assert mlops("rollback", "diabetes", "--own", "--to", "blue")[0] == 0
    assert endpoint.in_force == Traffic({"green": 100})
    endpoint.tags = replace(ROLLING, phase=Phase.PROMOTED, by=whoever()).on({})
    assert mlops("rollback", "diabetes", "--own")[0] == 0
    assert endpoint.in_force == Traffic({"blue": 100})


class Emptied(Still):
    """Blue was deleted."""

    def __init__(self) -> None:
        super().__init__({"green": 100})
        self.made_of = Source()
        self.there = {"green": State.READY}
        self.becomes = State.READY
        self.deployed: list[tuple[str, Source | None]] = []

    def deployments(self) -> dict[str, State]:
        return dict(self.there)

    def deploy(self, deployment: str, source: Source | None = None) -> None:
        assert record(self).phase is Phase.ROLLING, "so that nobody begins a rollout meanwhile"
        self.deployed.append((deployment, source))
        self.there[deployment] = self.becomes

    def copy_autoscale(self, old: str, new: str, *, floor: bool = False) -> None:
        self.scaled = (old, new)

    def remove_autoscale(self, deployment: str) -> None:
        self.unscaled = deployment


@pytest.fixture
def emptied(monkeypatch: pytest.MonkeyPatch) -> Emptied:
    made = Emptied()
    made.tags = replace(ROLLING, phase=Phase.PROMOTED, source=SOURCE).on({})
    monkeypatch.setattr(targets, "connector", lambda *_: lambda: made)
    return made


def test_where_the_old_one_was_deleted_it_is_told_how_to_bring_it_back(emptied: Emptied):
    """The model's version, the file and its commit."""
    status, told = mlops("rollback", "diabetes")
    assert status == 1
    assert told == (
        "Error: blue is no longer there. It had azureml:diabetes:6, deployed by endpoints/blue-deployment.yml at "
        "commit 0123abcd. To bring it back and give it the traffic: mlops rollback diabetes --redeploy.\n"
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
    assert record(emptied).phase is Phase.ROLLED_BACK


def test_one_that_does_not_get_ready_again_gets_no_traffic(emptied: Emptied):
    """The endpoint is as before, and free for another rollout."""
    Path("endpoints").mkdir()
    Path(SOURCE.file).write_text(GREEN)
    emptied.becomes = State.FAILED
    status, told = mlops("rollback", "diabetes", "--redeploy")
    assert status == 1
    assert "blue did not get ready" in told
    assert emptied.in_force == Traffic({"green": 100})
    assert record(emptied).phase is Phase.PROMOTED
    assert "blue has failed" in mlops("rollback", "diabetes")[1]


def test_without_its_file_here_it_is_told_which_commit_has_it(emptied: Emptied):
    """Nothing is done."""
    status, told = mlops("rollback", "diabetes", "--redeploy")
    assert status == 1
    assert "is not here; check out commit 0123abcd, or name the file by --file" in told
    assert emptied.deployed == []


def test_one_that_no_rollout_deployed_is_brought_back_by_a_file_that_is_named(emptied: Emptied, tmp_path: Path):
    """As the first deployment of an endpoint is made by hand."""
    emptied.tags = replace(ROLLING, phase=Phase.PROMOTED, source=Source(SOURCE.model)).on({})
    assert "It had azureml:diabetes:6. To bring it back" in mlops("rollback", "diabetes")[1]
    status, told = mlops("rollback", "diabetes", "--redeploy")
    assert status == 1
    assert "--redeploy --file FILE" in told
    (tmp_path / "blue.yml").write_text(GREEN)
    assert mlops("rollback", "diabetes", "--redeploy", "--file", "blue.yml")[0] == 0
    assert emptied.deployed == [("blue", Source(SOURCE.model))]
    assert emptied.in_force == Traffic({"blue": 100})


def test_what_had_no_registered_model_is_brought_back_by_hand(emptied: Emptied):
    """Its file may name another one by now."""
    emptied.tags = replace(ROLLING, phase=Phase.PROMOTED, source=replace(SOURCE, model="")).on({})
    status, told = mlops("rollback", "diabetes", "--redeploy")
    assert status == 1
    assert "its model is not on record; deploy it by hand" in told
    assert "mlops rollback diabetes --to blue" in told
    assert emptied.deployed == []


def test_a_second_rollout_is_refused_with_whose_the_first_is(endpoint: Still, tmp_path: Path):
    """Before anything is asked of the deployments, in one sentence with what to do."""
    (tmp_path / "green.yml").write_text(GREEN)
    waived = ("--without", "golden-rows", "--without", "predictions")
    status, told = mlops("rollout", tmp_path / "green.yml", *waived)
    assert (status, told.count("\n")) == (1, 1)
    under_way = "Another rollout of diabetes is under way: blue to green, by ci, since 2026-01-02 03:04 UTC; wait"
    assert under_way in told
    assert "mlops rollback diabetes" in told
    status, told = mlops("rollout", tmp_path / "green.yml", *waived, "--plan")
    assert (status, under_way in told) == (0, True)


@pytest.fixture
def overtaking(tmp_path: Path) -> Callable[[str, Callable[[Simulated], None]], tuple[Simulated, Any]]:
    """Lets a rollout run, and something happen at a given moment of it. -> the endpoint, and how the rollout ended."""

    def run(moment: str, act: Callable[[Simulated], None]) -> tuple[Simulated, Any]:
        endpoint = Simulated()
        method = getattr(endpoint, moment)

        def once(*what: Any) -> Any:
            setattr(endpoint, moment, method)
            result = method(*what)
            act(endpoint)
            return result

        setattr(endpoint, moment, once)
        return endpoint, roll_out(endpoint, tmp_path)

    return run


def take_back(endpoint: Simulated) -> None:
    back = rollback.Rollback(endpoint)
    assert back.nothing(own=False) is None
    back.check()
    assert back.run(Journal(Path("another.jsonl"))) == "rolled back"


@pytest.mark.parametrize("moment", ["deploy", "sleep", "observations"])
def test_a_rollout_that_was_rolled_back_from_elsewhere_touches_nothing_more(
    overtaking: Callable[..., tuple[Simulated, Any]], tmp_path: Path, moment: str
):
    """It ends by itself and says by whom it was ended; the old deployment is not deleted."""
    endpoint, outcome = overtaking(moment, take_back)
    assert outcome == "overtaken"
    assert endpoint.in_force == Traffic({OLD: 100})
    assert OLD in endpoint.states
    assert f"rolled-back (blue to green) by {whoever()}" in all_events(tmp_path)[-1]["reason"]


def test_who_rolls_back_at_the_very_end_keeps_the_old_deployment(
    overtaking: Callable[..., tuple[Simulated, Any]], tmp_path: Path
):
    """Between the promotion and the deletion."""

    def after_promotion(endpoint: Simulated) -> None:
        written = endpoint.update

        def update(change: Callable[[Status], Status]) -> None:
            written(change)
            if Record.read(endpoint.tags, "x").phase is Phase.PROMOTED:  # type: ignore[union-attr]
                endpoint.update = written  # type: ignore[method-assign]
                take_back(endpoint)

        endpoint.update = update  # type: ignore[method-assign]

    endpoint, outcome = overtaking("deploy", after_promotion)
    assert outcome == "overtaken"
    assert endpoint.in_force == Traffic({OLD: 100})
    assert endpoint.states.keys() == {OLD, NEW}


def test_of_two_rollouts_that_begin_at_once_one_stops(tmp_path: Path):
    """Both have found the endpoint free; the one that wrote first reads the other's claim back."""
    endpoint = Simulated()
    written = endpoint.update

    def update(change: Callable[[Status], Status]) -> None:
        written(change)
        endpoint.update = written  # type: ignore[method-assign]
        mine = Record.read(endpoint.tags, "diabetes")
        assert mine
        endpoint.tags = replace(mine, run="theirs", by="them").on({})

    endpoint.update = update  # type: ignore[method-assign]
    assert roll_out(endpoint, tmp_path) == "overtaken"
    assert "by them" in all_events(tmp_path)[-1]["reason"]
    assert NEW not in endpoint.states


def test_traffic_that_a_person_gave_to_a_third_one_is_left(tmp_path: Path):
    """A rollout that finds it so ends, and does not put anything back."""
    endpoint = Simulated()
    endpoint.states["red"] = State.READY
    passes = endpoint.sleep

    def sleep(seconds: float) -> None:
        passes(seconds)
        if endpoint.in_force.live.get(NEW) == 10:
            endpoint.in_force = Traffic({"red": 100})

    endpoint.sleep = sleep  # type: ignore[method-assign]
    assert roll_out(endpoint, tmp_path) == "overtaken"
    assert endpoint.in_force == Traffic({"red": 100})


def test_traffic_that_a_person_directed_during_the_deployment_is_left(overtaking: Callable[..., Any], tmp_path: Path):
    """Which may take half an hour, without a look at the traffic."""

    def direct(endpoint: Simulated) -> None:
        endpoint.states["red"] = State.READY
        endpoint.in_force = Traffic({OLD: 50, "red": 50})

    endpoint, outcome = overtaking("deploy", direct)
    assert outcome == "overtaken"
    assert endpoint.in_force == Traffic({OLD: 50, "red": 50})


def test_a_rollout_goes_on_with_its_own_interrupted_run_and_no_other(tmp_path: Path):
    """Its journal says that it is its own; from another folder it is refused."""
    endpoint = Simulated()
    endpoint.killed_at = 40
    with pytest.raises(Killed):
        roll_out(endpoint, tmp_path / "one")
    endpoint.killed_at = float("inf")
    with pytest.raises(EndpointError, match="is under way"):
        roll_out(endpoint, tmp_path / "other")
    assert roll_out(endpoint, tmp_path / "one") == "promoted"


def test_tags_that_somebody_removed_end_a_rollout(overtaking: Callable[..., tuple[Simulated, Any]]):
    """It goes back to where it came from: nobody else could tell where that is."""
    endpoint, outcome = overtaking("deploy", lambda endpoint: setattr(endpoint, "tags", {}))
    assert outcome == "interrupted"
    assert endpoint.in_force == Traffic({OLD: 100})


def test_tags_that_somebody_damaged_end_a_rollout(overtaking: Callable[..., tuple[Simulated, Any]], tmp_path: Path):
    """At once, where the traffic has not moved yet: nothing is tried for ten minutes, and none is called stuck."""

    def damage(endpoint: Simulated) -> None:
        endpoint.tags = {"rollout-run": "x"}

    endpoint, outcome = overtaking("deploy", damage)
    assert outcome == "interrupted"
    assert endpoint.in_force == Traffic({OLD: 100})
    assert not any(event["event"] == "trouble" for event in all_events(tmp_path))


def test_a_claim_that_azure_refuses_is_told_as_that(tmp_path: Path):
    """Not as somebody else's rollout: that has ended long ago."""
    endpoint = Simulated()
    endpoint.tags = replace(ROLLING, phase=Phase.PROMOTED, new=OLD, old="red").on({})
    before = endpoint.status()

    def refused(change: Callable[[Status], Status]) -> None:
        if change(endpoint.status()) != endpoint.status():
            raise EndpointError("Can't set the traffic: no permission.")

    endpoint.update = refused  # type: ignore[method-assign]
    assert roll_out(endpoint, tmp_path) == "interrupted"
    assert all_events(tmp_path)[-1]["reason"] == "Can't set the traffic: no permission."
    assert endpoint.status() == before


def test_a_make_rollback_goes_where_it_is_told_or_by_the_record():
    """``TO`` has a default, that of make rollout, which would be the new one."""
    repository = Path(controller.__file__).parents[2]

    def said(*words: str) -> str:
        done = subprocess.run(
            ["make", "-n", "rollback", *words], cwd=repository, capture_output=True, text=True, check=True
        )
        return " ".join(done.stdout.replace("\\\n", "").splitlines()[-1].split())

    assert "--" not in said().partition("mlops rollback")[2]
    assert said("TO=blue").endswith("--to blue")
    assert said("OWN=yes").endswith("--own")


def test_what_was_proven_counts_no_more_once_somebody_else_has_had_the_endpoint(tmp_path: Path):
    """A rollback from elsewhere had a reason, and another rollout may have put another model there: all is proven
    again, from the deployment on."""
    endpoint = Simulated()
    held = replace(PLAN, steps=steps(traffic=[10, 50]))
    assert roll_out(endpoint, tmp_path / "one", held) == "held"
    take_back(endpoint)
    endpoint.bad, endpoint.bad_from = {"failing": 0.5}, endpoint.now
    assert roll_out(endpoint, tmp_path / "other", key="v3") == "rolled back"
    endpoint.bad, endpoint.shares = {}, []
    another = endpoint.versions[NEW]
    assert roll_out(endpoint, tmp_path / "one") == "promoted"
    assert endpoint.versions[NEW] > another
    assert endpoint.shares == [0, 10, 50, 100]
