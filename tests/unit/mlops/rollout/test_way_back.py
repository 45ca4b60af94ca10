"""The old deployment gets its traffic back, whatever fails meanwhile."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mlops.endpoint import State, Status, Traffic, direct
from mlops.rollout.controller import Rollout
from mlops.rollout.journal import Event, Journal, RolloutOutcome
from mlops.rollout.way_back import put_back
from simulated_endpoint import GOLDEN, NEW, OLD, PLAN, RULES, Simulated, all_events, back, claim


@pytest.fixture
def endpoint() -> Simulated:
    return Simulated()


def test_an_endpoint_in_trouble_gets_its_traffic_back(endpoint: Simulated, tmp_path: Path):
    """It may refuse any number of times meanwhile."""
    endpoint.states[NEW] = State.READY
    direct(endpoint, Traffic({OLD: 50, NEW: 50}))
    endpoint.troubles = 5
    told = back(endpoint, tmp_path)
    assert told is RolloutOutcome.ROLLED_BACK
    assert endpoint.in_force == Traffic({OLD: 100})


def test_where_it_can_not_be_put_back_the_command_is_told(endpoint: Simulated, tmp_path: Path):
    """A person can then run it."""
    endpoint.troubles = 10**6
    told = back(endpoint, tmp_path)
    assert told is RolloutOutcome.STUCK
    ended = all_events(tmp_path)[-1]
    command = '--name diabetes --mirror-traffic "green=0" --traffic "blue=100 green=0"'
    assert ended["reason"].endswith(f"az ml online-endpoint update {command}")
    assert ended["left"] == ["green, perhaps with traffic"]


def test_it_goes_back_though_nothing_can_be_written(endpoint: Simulated, tmp_path: Path):
    """A disk that is full, or a terminal that is closed, is no reason to leave a bad one in
    service."""

    def closed(event: Event) -> None:
        if event["event"] == "look" and endpoint.in_force.live.get(NEW) == 50:
            raise BrokenPipeError

    file = tmp_path / "journal.jsonl"
    made = Rollout(
        endpoint, PLAN, RULES, GOLDEN, Journal(file, follow=closed, clock=endpoint.clock), key="v2",
        clock=endpoint.clock, timer=endpoint.timer, sleep=endpoint.sleep,
    )  # fmt: skip
    assert made.run() is RolloutOutcome.INTERRUPTED
    assert endpoint.in_force == Traffic({OLD: 100})
    direct(endpoint, Traffic({OLD: 50, NEW: 50}))
    held = claim(endpoint, tmp_path)
    file.unlink()
    file.mkdir()
    assert put_back(endpoint, PLAN, Journal(file), "why", claim=held) is RolloutOutcome.ROLLED_BACK
    assert endpoint.in_force == Traffic({OLD: 100})


def test_it_goes_back_whatever_the_endpoint_raises(endpoint: Simulated, tmp_path: Path):
    """Libraries have errors of their own, which are tried again as well."""
    refusals = iter([AttributeError("scaleType"), ValueError("no JSON"), TimeoutError()])
    written = endpoint.update

    def refusing(change: Callable[[Status], Status]) -> None:
        for error in refusals:
            raise error
        written(change)

    endpoint.update = refusing  # type: ignore[method-assign]
    told = back(endpoint, tmp_path)
    assert told is RolloutOutcome.ROLLED_BACK
    troubles = [event["error"] for event in all_events(tmp_path) if event["event"] == "trouble"]
    assert troubles == ["scaleType", "no JSON", "TimeoutError"]
