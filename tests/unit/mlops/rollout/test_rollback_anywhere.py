"""Rollouts and rollbacks of several machines on one endpoint, each cut off, failing or overtaken at
any call."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops.cli import main
from mlops.endpoint import EndpointError, State, Status, Traffic
from mlops.rollout import targets
from mlops.rollout.claim import EndpointClaim, check_free
from mlops.rollout.controller import Rollout
from mlops.rollout.guard import recover
from mlops.rollout.journal import Journal
from mlops.rollout.plan import Plan, steps
from mlops.rollout.record import Record, RolloutPhase, new_run
from mlops.rollout.way_back import put_back
from simulated_endpoint import GOLDEN, OLD, RULES, Killed, Simulated
from still_endpoint import WORKSPACE

MACHINES = ("laptop", "runner", "fresh")
NEVER = 10**9


class Cloud(Simulated):
    """Holds what any update must keep to. ``served``: what was in service before some rollout, by
    name and version."""

    def __init__(self) -> None:
        super().__init__()
        self.served = {(OLD, 1)}
        self.broken: list[str] = []
        """Told at the end, for a rollout takes whatever is raised for a reason to go back."""

    def deploy(self, deployment: str, source: Any = None) -> None:
        if self.in_force.live.get(deployment) or self.in_force.mirror.get(deployment):
            raise EndpointError(f"{deployment} takes traffic.")
        super().deploy(deployment, source)

    def delete(self, deployment: str) -> None:
        if self.in_force.live.get(deployment):
            raise EndpointError(f"{deployment} has live traffic.")
        super().delete(deployment)

    def update(self, change: Callable[[Status], Status]) -> None:
        before, traffic = Record.read(self.tags, self.name), self.in_force
        if not self._wanted(change) <= self.states.keys():
            raise EndpointError("There is no such deployment.")
        super().update(change)
        after = Record.read(self.tags, self.name)
        assert after
        if after.phase is RolloutPhase.ROLLED_BACK and self.in_service not in self.served:
            self.broken.append(f"back at {self.in_force}, which did not serve")
        own = before is not None and (before.run, before.phase) == (after.run, RolloutPhase.ROLLING)
        if after.phase is not RolloutPhase.ROLLED_BACK and self.in_force != traffic and not own:
            self.broken.append(f"{after} changed the traffic of {before}")
        if after.phase is RolloutPhase.PROMOTED:
            self.served.add((after.new, self.versions[after.new]))

    def _wanted(self, change: Callable[[Status], Status]) -> set[str]:
        wanted = change(Status(self.in_force, self.tags)).traffic
        return {*wanted.live, *wanted.mirror}

    @property
    def in_service(self) -> tuple[str, int] | None:
        """The deployment that has all traffic, with its version."""
        name = next(iter(self.in_force.live))
        return (name, self.versions[name]) if self.in_force == Traffic({name: 100}) else None


@dataclass
class Process:
    """An endpoint as one process sees it; counted are its calls."""

    cloud: Cloud
    killed_at: int = NEVER
    fails_at: int = NEVER
    answer_lost_at: int = NEVER
    overtaken_at: int = NEVER
    overtake: Callable[[], None] = lambda: None
    calls: int = 0
    name: str = Simulated.name
    run: str = ""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def called(*what: Any, **how: Any) -> Any:
            self.calls += 1
            if self.calls == self.overtaken_at:
                self.overtake()
            if self.calls >= self.killed_at:
                raise Killed
            if self.calls == self.fails_at:
                raise EndpointError("The endpoint is not to be reached.")
            before = (self.cloud.in_force, self.cloud.tags)
            result = getattr(self.cloud, name)(*what, **how)
            changed = (self.cloud.in_force, self.cloud.tags) != before
            if changed and self.run and self.run != Record.read(self.cloud.tags, self.name).run:
                self.cloud.broken.append(f"{self.run} changed the endpoint for another run")
            if self.calls == self.answer_lost_at:
                raise EndpointError("The connection was lost.")
            return result

        return called

    def sleep(self, seconds: float) -> None:
        if self.calls >= self.killed_at:
            raise Killed
        self.cloud.sleep(seconds)


@dataclass(frozen=True)
class Act:
    """A rollout of the deployment that does not serve, or a rollback. ``at``: the call of the act
    before it during which it happens, which may then be killed; else it follows. ``guarded``:
    somebody is left to put the traffic back where it is killed."""

    machine: str
    rolls_out: bool
    key: str
    deletes: bool
    guarded: bool
    at: int | None
    kills: bool
    killed_at: int
    fails_at: int
    answer_lost_at: int


calls = st.integers(1, 25) | st.integers(1, 100)
perhaps = st.integers(0, 3).flatmap(lambda lot: calls if lot == 0 else st.just(NEVER))
acts = st.builds(
    Act,
    machine=st.sampled_from(MACHINES),
    rolls_out=st.integers(0, 2).map(bool),
    key=st.sampled_from(["v2", "v3"]),
    deletes=st.booleans(),
    guarded=st.booleans(),
    at=st.none() | calls,
    kills=st.booleans(),
    killed_at=perhaps,
    fails_at=perhaps,
    answer_lost_at=perhaps,
)


@pytest.fixture(autouse=True)
def _waits_for_nothing() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        clock = itertools.count(0, 10)
        patch.setattr("os.fsync", lambda _: None)
        patch.setitem(put_back.__kwdefaults__, "timer", lambda: next(clock))
        patch.setitem(put_back.__kwdefaults__, "sleep", lambda _: None)
        yield


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(acts, min_size=2, max_size=5), st.sampled_from(MACHINES))
def test_a_rollback_from_any_machine_ends_at_what_served_before(happens: list[Act], machine: str):
    """Whatever was interrupted where, by whom, one after the other or at once; and no update breaks
    in between."""
    cloud = Cloud()
    with TemporaryDirectory() as name:
        _play(cloud, Path(name), happens)
        status, told = _roll_back(Process(cloud), Path(name) / machine)
        if status:
            assert "--redeploy" in told
            status, told = _roll_back(Process(cloud), Path(name) / machine, "--redeploy")
        assert status == 0, told
        assert not cloud.broken
        assert cloud.in_service in cloud.served
        assert cloud.states[next(iter(cloud.in_force.live))] is State.READY
        assert _roll_back(Process(cloud), Path(name) / machine)[0] == 0


def test_a_rollout_that_nothing_happens_to_is_promoted_here_too(tmp_path: Path):
    """The test above tries as much as it says."""
    cloud = Cloud()
    quiet = {"kills": False, "killed_at": NEVER, "fails_at": NEVER, "answer_lost_at": NEVER}
    _play(
        cloud,
        tmp_path,
        [Act("laptop", rolls_out=True, key="v2", deletes=True, guarded=True, at=None, **quiet)],
    )
    assert cloud.in_service == ("green", 2)
    assert cloud.served == {(OLD, 1), ("green", 2)}
    assert not cloud.broken


def _play(cloud: Cloud, folder: Path, happens: list[Act]) -> None:
    if not happens:
        return
    act, *rest = happens
    process = Process(cloud, act.killed_at, act.fails_at, act.answer_lost_at)
    if rest and rest[0].at is not None:
        process.overtaken_at, process.overtake = rest[0].at, lambda: _play(cloud, folder, rest)
        process.killed_at = rest[0].at if rest[0].kills else act.killed_at
    if act.rolls_out:
        _roll_out(process, folder / act.machine, act)
    else:
        _roll_back(process, folder / act.machine)
    if process.calls < process.overtaken_at:
        _play(cloud, folder, rest)


def _roll_out(process: Process, folder: Path, act: Act) -> None:
    """Roll out as the command does, with a guard or without."""
    cloud, run = process.cloud, new_run()
    process.run = run
    journal = Journal(folder / "diabetes.jsonl", clock=cloud.clock)
    earlier = journal.last()
    plan = None
    try:
        status = process.status()
        record = check_free(status, cloud.name, {journal.run()})
        last = record if record and record.run == journal.run() else None
        new = "green" if cloud.in_force.live.get("blue", 0) >= 50 else "blue"
        new = last.new if last and last.phase is RolloutPhase.ROLLING else new
        old = targets.old(status.traffic, new, last)
        plan = Plan(old, new, steps(50, (50, 100), delete=act.deletes), 10, 300, 10)
        times = {"clock": cloud.clock, "timer": cloud.timer, "sleep": process.sleep}
        Rollout(process, plan, RULES, GOLDEN, journal, key=act.key, run=run, **times).run()
    except EndpointError:
        pass  # it could not begin
    except Killed:
        if act.guarded and plan and journal.last()[:1] != earlier[:1]:
            left = Process(cloud, run=run)
            recover(
                left, plan, journal, "killed", earlier, claim=EndpointClaim(left, run, cloud.clock)
            )


def _roll_back(process: Process, folder: Path, *words: str) -> tuple[int, str]:
    """Roll back as the user does. If it is refused, the traffic stays as it is."""
    before = process.cloud.in_force
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(targets, "connector", lambda *_: lambda: process)
        patch.setattr("mlops.rollout.rollback.located", Path)
        words = ("rollback", "diabetes", "--out", str(folder), *words)
        try:
            done = CliRunner().invoke(main, words, env=WORKSPACE, catch_exceptions=False)
        except Killed:
            return 1, "killed"
    if done.exit_code and process.overtaken_at == NEVER and process.answer_lost_at == NEVER:
        assert process.cloud.in_force == before
    return done.exit_code, done.output
