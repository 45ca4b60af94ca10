"""How often a rollout judges wrongly, by the simulation that `make signals` runs at length."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.signals.comparisons import CASES, WHAT, coverage
from benchmarks.signals.rollouts import IDENTICAL, LOOK_S, WORSE, results
from benchmarks.signals.simulated_rollout import CHUNK_S, LONGEST_S, roll_out
from benchmarks.signals.simulated_traffic import Case, Traffic
from mlops.endpoint import Status
from mlops.rollout.controller import Rollout
from mlops.rollout.hold import Decision
from mlops.rollout.journal import RolloutOutcome
from mlops.rollout.plan import Plan, steps
from mlops.rollout.request_tally import RequestTally
from mlops.rollout.rules import Rules
from mlops.traffic_blocks import TrafficBlock
from simulated_endpoint import GOLDEN, NEW, OLD, Simulated, journal

SIDES = {NEW: "new", OLD: "old"}


class Driven(Simulated):
    """An endpoint whose clients are those of the simulation."""

    def __init__(self, case: Case, rate: float, seed: int) -> None:
        super().__init__()
        self.now = self._until = 0.0
        self._traffic = Traffic(case, rate, np.random.default_rng(seed), LONGEST_S)
        self._drawn: list[TrafficBlock] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds

    def update(self, change: Callable[[Status], Status]) -> None:
        before = self.in_force
        super().update(change)
        if self.in_force != before:
            self._drawn, self._until = [], self.now

    def blocks(self, since: float) -> Sequence[TrafficBlock]:
        while self._until < self.now:
            shares = {**self.in_force.live, **self.in_force.mirror}
            for name, side in SIDES.items():
                drawn = self._traffic.tally(
                    side, shares.get(name, 0) / 100, self._until, self._until + CHUNK_S
                )
                self._drawn += as_blocks(name, drawn)
            self._until += CHUNK_S
        return [block for block in self._drawn if since <= block.at < self.now]


def as_blocks(name: str, tally: RequestTally) -> list[TrafficBlock]:
    counts = zip(tally.at, tally.requests, tally.failed, tally.refused, strict=True)
    return [
        TrafficBlock(
            float(at),
            name,
            int(requests),
            int(failed),
            int(refused),
            tuple((int(place), int(row[place])) for place in np.flatnonzero(row)),
        )
        for (at, requests, failed, refused), row in zip(counts, tally.histogram, strict=True)
        if requests
    ]


@pytest.mark.parametrize(
    ("title", "rate"),
    [
        ("errors +1 point", 100),
        ("latency x2", 1000),
        ("slowest 1 % five times slower", 10),
        ("pauses of 1 s, one in 5 min, each its own", 100),
    ],
)
def test_the_simulation_ends_as_the_real_rollout_does(title: str, rate: float, tmp_path: Path):
    """From the same requests, at the same look; with two shares, to be quick."""
    (case,) = (case for case in (*IDENTICAL, *WORSE) if case.title == title)
    shape = {"steps": steps(mirror=10, traffic=(100,)), "keep_s": 300}
    simulated = roll_out(case, rate, np.random.default_rng(5), Plan("old", "new", **shape))
    endpoint = Driven(case, rate, 5)
    outcome = Rollout(
        endpoint,
        Plan(OLD, NEW, **shape),
        Rules(),
        GOLDEN,
        journal(endpoint, tmp_path),
        key="v2",
        clock=endpoint.clock,
        timer=endpoint.timer,
        sleep=endpoint.sleep,
    ).run()
    assert outcome is {
        Decision.PROVEN: RolloutOutcome.PROMOTED,
        Decision.BREACH: RolloutOutcome.ROLLED_BACK,
    }.get(simulated.decision)
    assert endpoint.slept == pytest.approx(60 * simulated.minutes)


@pytest.mark.slow
@pytest.mark.parametrize("case", IDENTICAL, ids=lambda case: case.title)
def test_an_identical_deployment_is_promoted(case: Case):
    """Whatever befalls one of the two, or both, meanwhile."""
    assert {result.decision for result in results(case, 100, 2)} == {Decision.PROVEN}


@pytest.mark.parametrize("case", WORSE[1:6], ids=lambda case: case.title)
def test_a_worse_deployment_meets_no_client(case: Case):
    """It is found while requests are mirrored."""
    ended = results(case, 100, 8)
    assert {(result.decision, result.exposed) for result in ended} == {(Decision.BREACH, 0)}


def test_looks_are_as_often_as_the_simulation_says():
    """Three times fewer looks find the same, half a minute later at most."""
    (case,) = (case for case in WORSE if case.title == "errors +1 point")
    for seed in range(5):
        often, seldom = (
            roll_out(case, 100, np.random.default_rng(seed), look_s=look_s)
            for look_s in (10, LOOK_S)
        )
        assert often.decision is seldom.decision
        assert 0 <= seldom.minutes - often.minutes <= 2


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES[1:], ids=lambda case: case.title)
def test_the_intervals_of_a_comparison_hold_as_often_as_they_say(case: Case):
    """In 95 of 100 cases, as far as 30 trials can show, though requests are not independent."""
    held = coverage(case, 2, 30)
    assert all(held[what] >= 25 for what in WHAT)
