"""A rollout whose process is killed at any point."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples import at_most
from mlops.endpoint import EndpointError, Traffic
from mlops.rollout.guard import recover
from mlops.rollout.journal import RolloutOutcome
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

KEEP = {"action": "keep", "percent": 0}


@pytest.mark.slow
@settings(max_examples=at_most(60), deadline=None)
@given(
    bad=st.sampled_from([{}, {"failing": 0.3}, {"slower": 30.0}, {"other": 1.0}]),
    bad_after=st.floats(0, 400),
    killed_at=st.integers(1, 160),
    trouble_at=st.integers(1, 320),
    guarded=st.booleans(),
)
def test_killed_anywhere_it_never_has_more_traffic_than_was_proven(
    bad: dict[str, float], bad_after: float, killed_at: int, trouble_at: int, guarded: bool
):
    """Run again, with or without a guard, one of the two ends with all traffic, never a bad one."""
    endpoint = Simulated()
    endpoint.bad, endpoint.bad_from = bad, endpoint.now + bad_after
    endpoint.killed_at, endpoint.trouble_at = killed_at, trouble_at
    with TemporaryDirectory() as name:
        folder = Path(name)
        outcome = _run_and_recover(endpoint, folder, guarded=guarded)
        _check_shares(endpoint, folder)
        endpoint.killed_at = endpoint.trouble_at = float("inf")
        if outcome is None:
            outcome = rollout(endpoint, folder)
        _check_shares(endpoint, folder)
        assert endpoint.in_force == Traffic(
            {NEW if outcome is RolloutOutcome.PROMOTED else OLD: 100}
        )
        if bad and bad_after < 200:
            assert outcome is not RolloutOutcome.PROMOTED


def _run_and_recover(endpoint: Simulated, folder: Path, *, guarded: bool) -> RolloutOutcome | None:
    """Return the outcome, or None if it was killed or could not begin, without a guard."""
    try:
        return rollout(endpoint, folder)
    except EndpointError:
        return None
    except Killed:
        endpoint.killed_at = float("inf")
        if not guarded or not journal(endpoint, folder).last():
            return None
        return recover(
            endpoint, PLAN, journal(endpoint, folder), "killed", [], claim=claim(endpoint, folder)
        )


def _check_shares(endpoint: Simulated, folder: Path) -> None:
    """Each larger share was set after the next smaller one was proven, by the journal."""
    shares, proven = [0, 10, 50, 90], 0
    for event in all_events(folder):
        if event["event"] == "traffic":
            share = event["live"].get(NEW, 0)
            assert shares.index(share) <= shares.index(proven) + 1
        if event["event"] == "proven" and event["step"]["action"] == "traffic":
            proven = max(proven, min(event["step"]["percent"], 90))
    kept = any(event["event"] == "proven" and event["step"] == KEEP for event in all_events(folder))
    most = 100 if kept else shares[min(shares.index(proven) + 1, 3)]
    assert max(endpoint.shares, default=0) <= most
