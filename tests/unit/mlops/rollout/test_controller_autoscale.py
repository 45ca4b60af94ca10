"""A rollout hands the autoscale setting on with the traffic."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples import at_most
from mlops.endpoint import EndpointError, Status
from mlops.rollout.guard import recover
from mlops.rollout.journal import RolloutOutcome
from mlops.rollout.plan import Plan, steps
from simulated_endpoint import NEW, OLD, PLAN, Killed, Simulated, back, claim, journal, rollout


@pytest.fixture
def endpoint() -> Simulated:
    """Blue scales from 3 instances and has 8 now; no request goes to a deployment that does not
    scale."""
    simulated = Simulated()
    simulated.scaled, simulated.instances = {OLD: 3}, 8
    return simulated


def test_the_new_one_scales_before_it_takes_traffic_and_for_good(
    endpoint: Simulated, tmp_path: Path
):
    """It ends with the old one's minimum, and the old one's setting is removed."""
    assert rollout(endpoint, tmp_path) is RolloutOutcome.PROMOTED
    assert endpoint.scaled == {NEW: 3}


def test_while_it_proves_itself_it_has_no_fewer_instances(endpoint: Simulated, tmp_path: Path):
    """All traffic may come to it: the minimum is what the old one has now, until the end."""
    least: list[int] = []
    update = endpoint.update

    def told(change: Callable[[Status], Status]) -> None:
        update(change)
        if NEW in {**endpoint.in_force.live, **endpoint.in_force.mirror}:
            least.append(endpoint.scaled[NEW])

    endpoint.update = told  # type: ignore[method-assign]
    assert rollout(endpoint, tmp_path) is RolloutOutcome.PROMOTED
    assert set(least) == {8}


def test_a_rollback_takes_the_setting_away(endpoint: Simulated, tmp_path: Path):
    """The setting goes once the traffic is back."""
    endpoint.bad, endpoint.bad_from = {"failing": 0.5}, endpoint.now + 70
    assert rollout(endpoint, tmp_path) is RolloutOutcome.ROLLED_BACK
    assert endpoint.scaled == {OLD: 3}


def test_a_setting_that_stays_does_not_keep_the_traffic_from_going_back(
    endpoint: Simulated, tmp_path: Path
):
    """It is named among what is left."""
    endpoint.bad, endpoint.bad_from, endpoint.scales = {"failing": 0.5}, endpoint.now + 70, False
    assert rollout(endpoint, tmp_path) is RolloutOutcome.ROLLED_BACK
    assert endpoint.in_force.live == {OLD: 100}
    assert "the autoscale setting of green: Azure Monitor" in str(
        journal(endpoint, tmp_path).last()[-1]["left"]
    )


def test_a_rollout_that_goes_on_gives_it_the_setting_again(endpoint: Simulated, tmp_path: Path):
    """Though deploying was proven before and is not repeated."""
    endpoint.trouble_at = 30
    assert rollout(endpoint, tmp_path) is RolloutOutcome.INTERRUPTED
    assert endpoint.scaled == {OLD: 3}
    assert rollout(endpoint, tmp_path) is RolloutOutcome.PROMOTED
    assert endpoint.scaled == {NEW: 3}


def test_one_that_died_at_the_end_has_the_old_ones_own_minimum_too(
    endpoint: Simulated, tmp_path: Path
):
    """All was proven, so the guard ends what is left to do; where Azure refuses that, it is
    named."""
    for scales in (True, False):
        folder = tmp_path / str(scales)
        endpoint.__init__()  # type: ignore[misc]
        endpoint.scaled, endpoint.instances = {OLD: 3}, 8
        end_is_cut_off(endpoint)
        with pytest.raises(Killed):
            rollout(endpoint, folder)
        endpoint.killed_at = float("inf")
        assert endpoint.scaled == {OLD: 3, NEW: 8}
        endpoint.trouble_at = float("inf") if scales else endpoint.calls + 2
        written = journal(endpoint, folder)
        assert (
            recover(endpoint, PLAN, written, "it died", [], claim=claim(endpoint, folder))
            is RolloutOutcome.PROMOTED
        )
        assert endpoint.scaled[NEW] == (3 if scales else 8)
        assert ("raised minimum of green" in str(written.last()[-1]["left"])) is not scales


def test_a_split_that_was_proven_stays_though_it_died_at_the_end(
    endpoint: Simulated, tmp_path: Path
):
    """All was proven, and both scale from their own minimum."""
    end_is_cut_off(endpoint)
    plan = Plan(OLD, NEW, steps(traffic=(10, 50)), hold_s=60, patience_s=300)
    with pytest.raises(Killed):
        rollout(endpoint, tmp_path, plan)
    endpoint.killed_at = float("inf")
    written = journal(endpoint, tmp_path)
    assert (
        recover(endpoint, plan, written, "it died", [], claim=claim(endpoint, tmp_path))
        is RolloutOutcome.HELD
    )
    assert endpoint.in_force.live == {OLD: 50, NEW: 50}
    assert endpoint.scaled == {OLD: 3, NEW: 3}
    assert written.last()[-1]["left"] == [OLD]


def end_is_cut_off(endpoint: Simulated) -> None:
    """Its process is killed as the endpoint says how it ended."""
    update = endpoint.update

    def killed(change: Callable[[Status], Status]) -> None:
        update(change)
        if endpoint.tags["rollout-state"] in ("promoted", "held"):
            endpoint.update = update  # type: ignore[method-assign]
            endpoint.killed_at = endpoint.calls
            raise Killed

    endpoint.update = killed  # type: ignore[method-assign]


def test_a_split_that_is_held_scales_both(endpoint: Simulated, tmp_path: Path):
    """Each scales from its own minimum."""
    assert (
        rollout(
            endpoint, tmp_path, Plan(OLD, NEW, steps(traffic=(10, 50)), hold_s=60, patience_s=300)
        )
        is RolloutOutcome.HELD
    )
    assert endpoint.scaled == {OLD: 3, NEW: 3}


def test_without_a_setting_nothing_is_scaled(endpoint: Simulated, tmp_path: Path):
    """This holds for the way on and the way back."""
    endpoint.scaled = {}
    assert rollout(endpoint, tmp_path) is RolloutOutcome.PROMOTED
    assert endpoint.scaled == {}


def test_the_plan_says_so():
    """It does before anything is done."""
    assert any("autoscale setting" in line for line in PLAN.lines())


def test_the_way_back_by_hand_does_the_same(endpoint: Simulated, tmp_path: Path):
    """`mlops rollback` removes the setting too."""
    endpoint.scaled[NEW] = 8
    assert back(endpoint, tmp_path) is RolloutOutcome.ROLLED_BACK
    assert endpoint.scaled == {OLD: 3}


def test_whoever_still_has_traffic_still_scales(endpoint: Simulated, tmp_path: Path):
    """If the traffic can't be put back, the setting stays."""
    endpoint.scaled[NEW] = 8
    endpoint.troubles = 1000
    assert back(endpoint, tmp_path) is RolloutOutcome.STUCK
    assert endpoint.scaled == {OLD: 3, NEW: 8}


@settings(max_examples=at_most(12), deadline=None)
@given(
    bad=st.sampled_from([{}, {"failing": 0.3}]),
    killed_at=st.integers(1, 160),
    trouble_at=st.integers(1, 320),
)
def test_killed_anywhere_whoever_takes_traffic_scales(
    bad: dict[str, float], killed_at: int, trouble_at: int
):
    """The simulated endpoint refuses traffic for one that does not; run again, whoever serves in
    the end scales."""
    endpoint = Simulated()
    endpoint.scaled, endpoint.instances = {OLD: 3}, 8
    endpoint.bad, endpoint.bad_from = bad, endpoint.now + 70
    endpoint.killed_at, endpoint.trouble_at = killed_at, trouble_at
    with TemporaryDirectory() as name:
        try:
            rollout(endpoint, Path(name))
        except (Killed, EndpointError):
            endpoint.killed_at = endpoint.trouble_at = float("inf")
            rollout(endpoint, Path(name))
        assert endpoint.in_force.live.keys() <= endpoint.scaled.keys()
