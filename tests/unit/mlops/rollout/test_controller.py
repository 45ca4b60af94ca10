"""Rollouts on a simulated endpoint: good ones, bad ones, and what people and clocks do
meanwhile."""

import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from mlops.endpoint import EndpointError, State, Traffic, direct
from mlops.rollout.guard import recover
from mlops.rollout.journal import RolloutOutcome
from mlops.rollout.plan import Inconclusive, Plan, steps
from mlops.rollout.progress import line_of
from simulated_endpoint import (
    NEW,
    OLD,
    PLAN,
    Killed,
    Simulated,
    all_events,
    claim,
    journal,
    rollout,
)


@pytest.fixture
def endpoint() -> Simulated:
    return Simulated()


def reason(endpoint: Simulated, folder: Path) -> str:
    return str(journal(endpoint, folder).last()[-1]["reason"])


def test_a_good_one_is_promoted_step_by_step(endpoint: Simulated, tmp_path: Path):
    """A tenth of the traffic stays on the old one to the end, as the control; then it is
    deleted."""
    assert rollout(endpoint, tmp_path) is RolloutOutcome.PROMOTED
    assert endpoint.shares == [0, 10, 50, 90, 100]
    assert endpoint.states == {NEW: State.READY}


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"failing": 0.2}, "errors"),
        ({"slower": 4.0}, "against"),
        ({"slower": 20.0}, "P9"),
        ({"other": 1.0}, "predictions agree on"),
    ],
)
@pytest.mark.parametrize("after", [0, 70, 140, 210])
def test_a_bad_one_is_rolled_back_with_the_reason(
    endpoint: Simulated, tmp_path: Path, bad: dict[str, float], why: str, after: float
):
    """Whenever it turns bad, and it gets no more traffic from then on."""
    endpoint.bad, endpoint.bad_from = bad, endpoint.now + after
    assert rollout(endpoint, tmp_path) is RolloutOutcome.ROLLED_BACK
    assert endpoint.in_force == Traffic({OLD: 100})
    assert max(endpoint.shares, default=0) <= {0: 0, 70: 10, 140: 50, 210: 90}[after]
    assert why in reason(endpoint, tmp_path) or "golden rows" in reason(endpoint, tmp_path)
    assert NEW in journal(endpoint, tmp_path).last()[-1]["left"][0]


def test_one_that_does_not_start_gets_no_request(endpoint: Simulated, tmp_path: Path):
    """The reason has the last line of its log."""
    endpoint.starts = False
    assert rollout(endpoint, tmp_path) is RolloutOutcome.ROLLED_BACK
    assert "ModuleNotFoundError: sklearn" in reason(endpoint, tmp_path)
    assert endpoint.shares == []


def test_too_few_requests_are_inconclusive(endpoint: Simulated, tmp_path: Path):
    """After the patience the traffic goes back, and the reason says what would decide it; run again
    with more patience, it goes on at that step."""
    plan = Plan(OLD, NEW, steps(mirror=1), hold_s=10, patience_s=50)
    assert rollout(endpoint, tmp_path, plan) is RolloutOutcome.INCONCLUSIVE
    assert endpoint.in_force == Traffic({OLD: 100})
    assert "is not decided" in reason(endpoint, tmp_path)
    assert re.search(r"\d+ requests more would take about \d+ min", reason(endpoint, tmp_path))
    before = endpoint.versions
    patient = replace(plan, inconclusive=Inconclusive.WAIT, keep_s=60)
    assert rollout(endpoint, tmp_path, patient) is RolloutOutcome.PROMOTED
    assert endpoint.versions == before


def test_a_person_may_decide_on_a_share_that_is_inconclusive(endpoint: Simulated, tmp_path: Path):
    """The share stays as it is, and both deployments, if that was chosen."""
    plan = Plan(
        OLD,
        NEW,
        steps(mirror=0, traffic=[1, 100]),
        hold_s=10,
        patience_s=50,
        inconclusive=Inconclusive.HOLD,
    )
    assert rollout(endpoint, tmp_path, plan) is RolloutOutcome.INCONCLUSIVE
    assert endpoint.in_force == Traffic({OLD: 99, NEW: 1})
    assert endpoint.tags["rollout-state"] == "held"


def test_a_split_is_held_and_promoted_later(endpoint: Simulated, tmp_path: Path):
    """What was proven is not proven again."""
    assert (
        rollout(endpoint, tmp_path, Plan(OLD, NEW, steps(traffic=[10, 50]), hold_s=60))
        is RolloutOutcome.HELD
    )
    assert endpoint.in_force == Traffic({OLD: 50, NEW: 50})
    assert endpoint.tags["rollout-state"] == "held"
    assert rollout(endpoint, tmp_path) is RolloutOutcome.PROMOTED
    assert endpoint.tags["rollout-state"] == "promoted"
    assert endpoint.shares == [0, 10, 50, 90, 100]


def test_what_was_proven_of_another_deployment_counts_for_nothing(
    endpoint: Simulated, tmp_path: Path
):
    """The other one is not taken over while it is live either."""
    rollout(endpoint, tmp_path, Plan(OLD, NEW, steps(traffic=[10, 50]), hold_s=60), key="v2")
    with pytest.raises(EndpointError, match="give blue 100 first"):
        rollout(endpoint, tmp_path, key="v3")
    assert endpoint.in_force == Traffic({OLD: 50, NEW: 50})


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
@pytest.mark.parametrize("bad", [{}, {"failing": 0.3}])
def test_a_clock_that_is_set_changes_nothing(
    endpoint: Simulated, tmp_path: Path, bad: dict[str, float], jump: float
):
    """A step is held as long, and judged by the same requests."""
    passes = endpoint.sleep

    def sleep(seconds: float) -> None:
        passes(seconds)
        if 150 <= endpoint.slept < 150 + seconds:
            endpoint.now += jump
            endpoint.bad, endpoint.bad_from = bad, -1e9

    endpoint.sleep = sleep  # type: ignore[method-assign]
    assert rollout(endpoint, tmp_path) is (
        RolloutOutcome.ROLLED_BACK if bad else RolloutOutcome.PROMOTED
    )
    assert endpoint.slept < (300 if bad else 600)


def test_nobody_who_directs_the_traffic_by_hand_is_overruled(endpoint: Simulated, tmp_path: Path):
    """Who took it from the new one does not see the next step give it more."""
    passes = endpoint.sleep

    def sleep(seconds: float) -> None:
        passes(seconds)
        if endpoint.in_force.live.get(NEW) == 10:
            endpoint.in_force = Traffic({OLD: 100})

    endpoint.sleep = sleep  # type: ignore[method-assign]
    assert rollout(endpoint, tmp_path) is RolloutOutcome.ROLLED_BACK
    assert max(endpoint.shares) == 10
    assert "somebody else" in reason(endpoint, tmp_path)


def test_a_good_one_is_promoted_though_the_old_one_dies(endpoint: Simulated, tmp_path: Path):
    """Half of the clients are with the new one by then, so going on is the way out; none is left on
    the old one as a control."""
    passes = endpoint.sleep

    def sleep(seconds: float) -> None:
        passes(seconds)
        if endpoint.in_force.live.get(NEW) == 50:
            endpoint.states[OLD] = State.FAILED

    endpoint.sleep = sleep  # type: ignore[method-assign]
    assert rollout(endpoint, tmp_path) is RolloutOutcome.PROMOTED
    lost = [each for each in endpoint.seen if each.deployment == OLD and each.status == 0]
    assert max(each.at for each in lost) < endpoint.now - PLAN.keep_s


def test_without_a_control_the_new_one_is_judged_by_its_objectives(
    endpoint: Simulated, tmp_path: Path
):
    """Each look says that nothing is left to compare with."""
    assert rollout(endpoint, tmp_path, replace(PLAN, control=0)) is RolloutOutcome.PROMOTED
    assert endpoint.shares == [0, 10, 50, 100]
    looks = [event for event in all_events(tmp_path) if event["event"] == "look"]
    assert "no traffic is left on the old one" in line_of(looks[-1])
    assert "no traffic is left" not in line_of(looks[0])


def test_one_that_vanished_meanwhile_is_deployed_again(endpoint: Simulated, tmp_path: Path):
    """What was proven of it before counts for nothing."""
    endpoint.killed_at = 40
    with pytest.raises(Killed):
        rollout(endpoint, tmp_path)
    endpoint.killed_at = float("inf")
    direct(endpoint, Traffic({OLD: 100}))
    endpoint.delete(NEW)
    assert rollout(endpoint, tmp_path) is RolloutOutcome.PROMOTED


def test_one_that_was_cut_off_with_all_traffic_is_kept_and_ended(
    endpoint: Simulated, tmp_path: Path
):
    """What was proven is not proven again."""
    passes = endpoint.sleep

    def sleep(seconds: float) -> None:
        passes(seconds)
        if endpoint.in_force == Traffic({OLD: 10, NEW: 90}):
            endpoint.killed_at = endpoint.calls
            raise Killed

    endpoint.sleep = sleep  # type: ignore[method-assign]
    with pytest.raises(Killed):
        rollout(endpoint, tmp_path)
    endpoint.sleep, endpoint.killed_at = passes, float("inf")  # type: ignore[method-assign]
    assert rollout(endpoint, tmp_path) is RolloutOutcome.PROMOTED
    assert endpoint.shares == [0, 10, 50, 90, 100]
    assert endpoint.states == {NEW: State.READY}


def test_a_rollout_the_other_way_round_waits_for_the_end_of_one_that_was_cut_off(
    endpoint: Simulated, tmp_path: Path
):
    """The same folder is no exception, and the error says what to do."""
    endpoint.killed_at = 40
    with pytest.raises(Killed):
        rollout(endpoint, tmp_path)
    endpoint.killed_at = float("inf")
    there_and_back = replace(PLAN, old=NEW, new=OLD)
    with pytest.raises(
        EndpointError,
        match=r"blue to green of diabetes was cut off; .* end it: mlops rollback diabetes\.",
    ):
        rollout(endpoint, tmp_path, there_and_back)


def test_the_breach_is_what_ended_it_though_the_way_back_was_cut_off(
    endpoint: Simulated, tmp_path: Path
):
    """The next rollout of the same begins anew, with or without a guard in between."""
    written = journal(endpoint, tmp_path)
    written.write(
        "started", key="diabetes: blue to green, v2", endpoint="diabetes", plan=asdict(PLAN)
    )
    written.write("proven", step=asdict(PLAN.steps[0]))
    written.write(
        "back",
        reason="errors 9 %",
        outcome=RolloutOutcome.ROLLED_BACK,
        share=0,
        live={OLD: 100},
        mirror={},
    )
    assert written.continued("diabetes: blue to green, v2") == []
    assert (
        recover(endpoint, PLAN, written, "died", [], claim=claim(endpoint, tmp_path))
        is RolloutOutcome.ROLLED_BACK
    )
    assert reason(endpoint, tmp_path) == "errors 9 %"
