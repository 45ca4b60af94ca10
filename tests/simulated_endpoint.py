"""A simulated endpoint: it has requests and a time of its own, and a rollout on it may be killed
anywhere."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from mlops.endpoint import (
    EndpointAnswer,
    EndpointError,
    Source,
    State,
    Status,
    Traffic,
)
from mlops.rollout.claim import EndpointClaim
from mlops.rollout.controller import Rollout
from mlops.rollout.journal import Journal, RolloutOutcome
from mlops.rollout.plan import Plan, steps
from mlops.rollout.questions import Questions
from mlops.rollout.record import new_run
from mlops.rollout.rules import Rules
from mlops.rollout.way_back import put_back
from mlops.traffic_blocks import Observation, TrafficBlock, blocks_of

OLD, NEW = "blue", "green"
RATE = 30
"""Requests a second."""

PLAN = Plan(OLD, NEW, steps(), hold_s=60, patience_s=300, keep_s=60)
RULES = Rules(requests=100, block_s=10, warm_up_s=10)
GOLDEN = Questions(
    [({"data": [[1.0], [2.0]], "method": "predict"}, [1, 2])],
    [[float(row)] for row in range(100)],
)


class Killed(BaseException):
    """The controller's process was killed: nothing it does from here on has an effect."""


class Simulated:
    """An endpoint whose time passes in ``sleep``, while clients send requests, by the traffic."""

    name = "diabetes"

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept = 0.0
        self.states: dict[str, State] = {OLD: State.READY}
        self.in_force = Traffic({OLD: 100})
        self.instances = 3
        self.scaled: dict[str, int] = {}
        """The minimum of instances of each deployment with an autoscale setting."""
        self.scales = True
        self.tags: Mapping[str, str] = {}
        self.versions = {OLD: 1}
        self.seen: list[Observation] = []
        self.shares: list[int] = []
        """The new one's share after each change."""
        self.bad_from = float("inf")
        self.bad: dict[str, float] = {}
        self.starts = True
        self.calls = 0
        self.killed_at = self.trouble_at = float("inf")
        self.troubles = 0
        self._rng = np.random.default_rng(0)

    def call(self) -> None:
        self.calls += 1
        if self.calls >= self.killed_at:
            raise Killed
        if self.calls == self.trouble_at:
            raise EndpointError("The endpoint is not to be reached.")
        if self.troubles:
            self.troubles -= 1
            raise EndpointError("The endpoint is busy.")

    def clock(self) -> float:
        return self.now

    def timer(self) -> float:
        return self.slept

    def sleep(self, seconds: float) -> None:
        if self.calls >= self.killed_at:
            raise Killed
        times = np.arange(self.now, self.now + seconds, 1 / RATE)
        for shares in (self.in_force.live, self.in_force.mirror):
            spare = 1 - sum(shares.values()) / 100
            chosen = self._rng.choice(
                [*shares, ""], len(times), p=[*(n / 100 for n in shares.values()), spare]
            )
            lot, latencies = (
                self._rng.random(len(times)),
                20 * self._rng.lognormal(0, 0.3, len(times)),
            )
            drawn = zip(chosen, times, lot, latencies, strict=True)
            self.seen += [
                self._request(str(name), *map(float, rest)) for name, *rest in drawn if name
            ]
        self.now += seconds
        self.slept += seconds

    def _request(self, name: str, at: float, lot: float, latency: float) -> Observation:
        bad = self.bad if name == NEW and at >= self.bad_from else {}
        if self.states.get(name) is not State.READY:
            return Observation(at, name, 0, 1.0)
        return Observation(
            at, name, 500 if lot < bad.get("failing", 0) else 200, latency * bad.get("slower", 1)
        )

    def deployments(self) -> Mapping[str, State]:
        self.call()
        return dict(self.states)

    def traffic(self) -> Traffic:
        self.call()
        return self.in_force

    def status(self) -> Status:
        self.call()
        return Status(self.in_force, self.tags)

    def update(self, change: Callable[[Status], Status]) -> None:
        self.call()
        wanted = change(Status(self.in_force, self.tags))
        traffic = wanted.traffic
        assert sum(traffic.live.values()) == 100
        assert not traffic.live.keys() & traffic.mirror.keys()
        assert {*traffic.live, *traffic.mirror} <= self.states.keys()
        if OLD in self.scaled:  # whoever takes requests is scaled
            assert {*traffic.live, *traffic.mirror} <= self.scaled.keys()
        if traffic != self.in_force:
            self.shares.append(traffic.live.get(NEW, 0))
        self.in_force, self.tags = traffic, wanted.tags

    def source(self, deployment: str) -> Source:
        self.call()
        return Source(
            model=f"azureml:diabetes:{self.versions[deployment]}", file=f"{deployment}.yml"
        )

    def deploy(self, deployment: str, source: Source | None = None) -> None:
        self.call()
        assert not self.in_force.live.get(deployment)
        self.versions[deployment] = (
            int(source.model.rpartition(":")[2]) if source else max(self.versions.values()) + 1
        )
        self.states[deployment] = State.READY if self.starts else State.FAILED

    def delete(self, deployment: str) -> None:
        self.call()
        assert not self.in_force.live.get(deployment)
        self.states.pop(deployment, None)
        self.scaled.pop(deployment, None)

    def copy_autoscale(self, old: str, new: str, *, floor: bool = False) -> None:
        self.call()
        if old in self.scaled:
            self.scaled[new] = max(self.scaled[old], self.instances if floor else 0)

    def remove_autoscale(self, deployment: str) -> None:
        self.call()
        if not self.scales:
            raise EndpointError("Azure Monitor is not to be reached.")
        assert not self.in_force.live.get(deployment)
        self.scaled.pop(deployment, None)

    def logs(self, deployment: str) -> str:
        return f"{deployment} is starting\nModuleNotFoundError: sklearn\n"

    def score(self, body: bytes, deployment: str | None = None) -> EndpointAnswer:
        self.call()
        rows = orjson.loads(body)["data"]
        other = deployment == NEW and self.now >= self.bad_from and "other" in self.bad
        return EndpointAnswer(
            200, orjson.dumps({"predictions": [int(row[0]) + other for row in rows]}), 1.0
        )

    def blocks(self, since: float) -> Sequence[TrafficBlock]:
        self.call()
        return blocks_of(each for each in self.seen if each.at >= since)


def journal(endpoint: Simulated, folder: Path) -> Journal:
    return Journal(folder / "journal.jsonl", clock=endpoint.clock)


def claim(endpoint: Simulated, folder: Path) -> EndpointClaim:
    """Return the claim of the last rollout in this folder."""
    return EndpointClaim(endpoint, journal(endpoint, folder).run() or new_run(), endpoint.clock)


def back(endpoint: Simulated, folder: Path) -> RolloutOutcome:
    written, held = journal(endpoint, folder), claim(endpoint, folder)
    return put_back(
        endpoint, PLAN, written, "why", claim=held, timer=endpoint.timer, sleep=endpoint.sleep
    )


def rollout(
    endpoint: Simulated,
    folder: Path,
    plan: Plan = PLAN,
    key: str = "v2",
    questions: Questions = GOLDEN,
) -> RolloutOutcome:
    made = Rollout(
        endpoint,
        plan,
        RULES,
        questions,
        journal(endpoint, folder),
        key=key,
        clock=endpoint.clock,
        timer=endpoint.timer,
        sleep=endpoint.sleep,
    )
    return made.run()


def all_events(folder: Path) -> list[Any]:
    file = folder / "journal.jsonl"
    return [orjson.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
