"""Rollouts beside rollbacks, other rollouts and people who direct the same endpoint: one of them
has it at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlops.endpoint import EndpointError, State, Status, Traffic
from mlops.exit_status import ExitStatus
from mlops.rollout import rollback, targets
from mlops.rollout.journal import Journal
from mlops.rollout.plan import steps
from mlops.rollout.record import Record, RolloutPhase, whoever
from simulated_endpoint import NEW, OLD, PLAN, Killed, Simulated, all_events
from simulated_endpoint import rollout as roll_out
from still_endpoint import GREEN, ROLLING, half_way, mlops


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_second_rollout_is_refused_with_whose_the_first_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The deployments are not asked anything; the error is one sentence with what to do."""
    monkeypatch.setattr(targets, "connector", lambda *_: half_way)
    (tmp_path / "green.yml").write_text(GREEN)
    waived = ("--without", "golden-rows", "--without", "predictions")
    status, told = mlops("rollout", tmp_path / "green.yml", *waived)
    assert (status, told.count("\n")) == (ExitStatus.SERVER, 1)
    under_way = (
        "Another rollout of diabetes is under way: blue to green, by ci, "
        "since 2026-01-02 03:04 UTC; wait"
    )
    assert under_way in told
    assert "mlops rollback diabetes" in told
    status, told = mlops("rollout", tmp_path / "green.yml", *waived, "--plan")
    assert (status, under_way in told) == (0, True)


@pytest.fixture
def overtaking(
    tmp_path: Path,
) -> Callable[[str, Callable[[Simulated], None]], tuple[Simulated, Any]]:
    """Lets a rollout run, and something happen at a given moment of it. -> the endpoint, and how
    the rollout ended."""

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


@pytest.mark.parametrize("moment", ["deploy", "sleep", "blocks"])
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
    """This holds between the promotion and the deletion."""

    def after_promotion(endpoint: Simulated) -> None:
        written = endpoint.update

        def update(change: Callable[[Status], Status]) -> None:
            written(change)
            if Record.read(endpoint.tags, "x").phase is RolloutPhase.PROMOTED:  # type: ignore[union-attr]
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


def test_traffic_that_a_person_directed_during_the_deployment_is_left(
    overtaking: Callable[..., Any], tmp_path: Path
):
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


def test_tags_that_somebody_damaged_end_a_rollout(
    overtaking: Callable[..., tuple[Simulated, Any]], tmp_path: Path
):
    """If no traffic has moved, it ends at once, not after ten minutes of retries, nor as stuck."""

    def damage(endpoint: Simulated) -> None:
        endpoint.tags = {"rollout-run": "x"}

    endpoint, outcome = overtaking("deploy", damage)
    assert outcome == "interrupted"
    assert endpoint.in_force == Traffic({OLD: 100})
    assert not any(event["event"] == "trouble" for event in all_events(tmp_path))


def test_a_claim_that_azure_refuses_is_told_as_that(tmp_path: Path):
    """It is not taken for somebody else's rollout, which has ended long ago."""
    endpoint = Simulated()
    endpoint.tags = replace(ROLLING, phase=RolloutPhase.PROMOTED, new=OLD, old="red").on({})
    before = endpoint.status()

    def refused(change: Callable[[Status], Status]) -> None:
        if change(endpoint.status()) != endpoint.status():
            raise EndpointError("Can't set the traffic: no permission.")

    endpoint.update = refused  # type: ignore[method-assign]
    assert roll_out(endpoint, tmp_path) == "interrupted"
    assert all_events(tmp_path)[-1]["reason"] == "Can't set the traffic: no permission."
    assert endpoint.status() == before


def test_what_was_proven_counts_no_more_once_somebody_else_has_had_the_endpoint(tmp_path: Path):
    """A rollback from elsewhere had a reason, and another rollout may have put another model there:
    all is proven again, from the deployment on."""
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
    assert endpoint.shares == [0, 10, 50, 90, 100]
