"""Rollouts on a simulated endpoint, in simulated time: good ones, bad ones, and ones that are killed at any point."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops.rollout.controller import Rollout, put_back
from mlops.rollout.endpoint import Answer, EndpointError, Observation, State, Traffic
from mlops.rollout.guard import recover
from mlops.rollout.journal import Event, Journal, Outcome
from mlops.rollout.judge import Rules
from mlops.rollout.plan import Plan, steps
from mlops.rollout.questions import Questions

OLD, NEW = "blue", "green"
RATE = 30
"""Requests a second."""

PLAN = Plan(OLD, NEW, steps(), hold_s=60, patience_s=300, keep_s=60)
RULES = Rules(requests=100)
GOLDEN = Questions([({"data": [[1.0], [2.0]], "method": "predict"}, [1, 2])], [[1.0], [2.0]])


class Killed(BaseException):
    """The controller's process is no more: nothing that it does from here on has an effect."""


class Simulated:
    """Time passes in ``sleep``; meanwhile clients ask, by the traffic."""

    name = "diabetes"

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept = 0.0
        self.states: dict[str, State] = {OLD: State.READY}
        self.in_force = Traffic({OLD: 100})
        self.seen: list[Observation] = []
        self.shares: list[int] = []
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
            chosen = self._rng.choice([*shares, ""], len(times), p=[*(n / 100 for n in shares.values()), spare])
            lot, latencies = self._rng.random(len(times)), 20 * self._rng.lognormal(0, 0.3, len(times))
            drawn = zip(chosen, times, lot, latencies, strict=True)
            self.seen += [self._request(str(name), *map(float, rest)) for name, *rest in drawn if name]
        self.now += seconds
        self.slept += seconds

    def _request(self, name: str, at: float, lot: float, latency: float) -> Observation:
        bad = self.bad if name == NEW and at >= self.bad_from else {}
        if self.states.get(name) is not State.READY:
            return Observation(at, name, 0, 1.0)
        return Observation(at, name, 500 if lot < bad.get("failing", 0) else 200, latency * bad.get("slower", 1))

    def deployments(self) -> Mapping[str, State]:
        self.call()
        return dict(self.states)

    def traffic(self) -> Traffic:
        self.call()
        return self.in_force

    def set_traffic(self, traffic: Traffic) -> None:
        self.call()
        assert sum(traffic.live.values()) == 100
        assert not traffic.live.keys() & traffic.mirror.keys()
        assert {*traffic.live, *traffic.mirror} <= self.states.keys()
        self.in_force = traffic
        self.shares.append(traffic.live.get(NEW, 0))

    def deploy(self, deployment: str) -> None:
        self.call()
        assert not self.in_force.live.get(deployment)
        self.states[deployment] = State.READY if self.starts else State.FAILED

    def delete(self, deployment: str) -> None:
        self.call()
        assert not self.in_force.live.get(deployment)
        self.states.pop(deployment, None)

    def logs(self, deployment: str) -> str:
        return f"{deployment} is starting\nModuleNotFoundError: sklearn\n"

    def score(self, body: bytes, deployment: str | None = None) -> Answer:
        self.call()
        rows = orjson.loads(body)["data"]
        other = deployment == NEW and self.now >= self.bad_from and "other" in self.bad
        return Answer(200, orjson.dumps({"predictions": [int(row[0]) + other for row in rows]}), 1.0)

    def observations(self, since: float) -> Sequence[Observation]:
        self.call()
        return [each for each in self.seen if each.at >= since]


@pytest.fixture
def endpoint() -> Simulated:
    return Simulated()


def journal(endpoint: Simulated, folder: Path) -> Journal:
    return Journal(folder / "journal.jsonl", clock=endpoint.clock)


def rollout(endpoint: Simulated, folder: Path, plan: Plan = PLAN, key: str = "v2") -> Outcome:
    made = Rollout(
        endpoint,
        plan,
        RULES,
        GOLDEN,
        journal(endpoint, folder),
        key=key,
        clock=endpoint.clock,
        timer=endpoint.timer,
        sleep=endpoint.sleep,
    )
    return made.run()


def reason(endpoint: Simulated, folder: Path) -> str:
    return str(journal(endpoint, folder).last()[-1]["reason"])


def test_a_good_one_is_promoted_step_by_step(endpoint: Simulated, tmp_path: Path):
    """And the old one is deleted at the end."""
    assert rollout(endpoint, tmp_path) is Outcome.PROMOTED
    assert endpoint.shares == [0, 10, 50, 100, 100]
    assert endpoint.states == {NEW: State.READY}


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"failing": 0.2}, "errors"),
        ({"slower": 4.0}, "against"),
        ({"slower": 20.0}, "P9"),
        ({"other": 1.0}, "predictions agree on 0 of 2 rows"),
    ],
)
@pytest.mark.parametrize("after", [0, 70, 140, 210])
def test_a_bad_one_is_rolled_back_with_the_reason(
    endpoint: Simulated, tmp_path: Path, bad: dict[str, float], why: str, after: float
):
    """Whenever it turns bad, and it gets no more traffic from then on."""
    endpoint.bad, endpoint.bad_from = bad, endpoint.now + after
    assert rollout(endpoint, tmp_path) is Outcome.ROLLED_BACK
    assert endpoint.in_force == Traffic({OLD: 100})
    assert max(endpoint.shares) <= {0: 0, 70: 10, 140: 50, 210: 100}[after]
    assert why in reason(endpoint, tmp_path) or "golden rows" in reason(endpoint, tmp_path)
    assert NEW in journal(endpoint, tmp_path).last()[-1]["left"][0]


def test_one_that_does_not_start_gets_no_request(endpoint: Simulated, tmp_path: Path):
    """Its last line is told."""
    endpoint.starts = False
    assert rollout(endpoint, tmp_path) is Outcome.ROLLED_BACK
    assert "ModuleNotFoundError: sklearn" in reason(endpoint, tmp_path)
    assert endpoint.shares == [0]


def test_too_few_requests_prove_nothing(endpoint: Simulated, tmp_path: Path):
    """After the patience it goes back and says what it waited for."""
    plan = Plan(OLD, NEW, steps(mirror=1), hold_s=10, patience_s=50)
    assert rollout(endpoint, tmp_path, plan) is Outcome.ROLLED_BACK
    assert "is not proven" in reason(endpoint, tmp_path)


def test_a_split_is_held_and_promoted_later(endpoint: Simulated, tmp_path: Path):
    """Without proving again what was proven."""
    assert rollout(endpoint, tmp_path, Plan(OLD, NEW, steps(traffic=[10, 50]), hold_s=60)) is Outcome.HELD
    assert endpoint.in_force == Traffic({OLD: 50, NEW: 50})
    assert rollout(endpoint, tmp_path) is Outcome.PROMOTED
    assert endpoint.shares == [0, 10, 50, 100, 100]


def test_what_was_proven_of_another_deployment_counts_for_nothing(endpoint: Simulated, tmp_path: Path):
    """Nor is it taken over while it is live."""
    rollout(endpoint, tmp_path, Plan(OLD, NEW, steps(traffic=[10, 50]), hold_s=60), key="v2")
    with pytest.raises(EndpointError, match="give blue 100 first"):
        rollout(endpoint, tmp_path, key="v3")
    assert endpoint.in_force == Traffic({OLD: 50, NEW: 50})


def test_an_endpoint_in_trouble_gets_its_traffic_back(endpoint: Simulated, tmp_path: Path):
    """However often it refuses meanwhile."""
    endpoint.states[NEW] = State.READY
    endpoint.set_traffic(Traffic({OLD: 50, NEW: 50}))
    endpoint.troubles = 5
    told = put_back(endpoint, PLAN, journal(endpoint, tmp_path), "why", timer=endpoint.timer, sleep=endpoint.sleep)
    assert told is Outcome.ROLLED_BACK
    assert endpoint.in_force == Traffic({OLD: 100})


def test_where_it_can_not_be_put_back_the_command_is_told(endpoint: Simulated, tmp_path: Path):
    """For a person to do it."""
    endpoint.troubles = 10**6
    told = put_back(endpoint, PLAN, journal(endpoint, tmp_path), "why", timer=endpoint.timer, sleep=endpoint.sleep)
    assert told is Outcome.STUCK
    assert "az ml online-endpoint update --name diabetes --traffic blue=100" in reason(endpoint, tmp_path)


def test_it_goes_back_though_nothing_can_be_written(endpoint: Simulated, tmp_path: Path):
    """A disk that is full, or a terminal that is closed, is no reason to leave a bad one in service."""

    def closed(event: Event) -> None:
        if event["event"] == "look" and endpoint.in_force.live.get(NEW) == 50:
            raise BrokenPipeError

    file = tmp_path / "journal.jsonl"
    made = Rollout(
        endpoint, PLAN, RULES, GOLDEN, Journal(file, follow=closed, clock=endpoint.clock), key="v2",
        clock=endpoint.clock, timer=endpoint.timer, sleep=endpoint.sleep,
    )  # fmt: skip
    assert made.run() is Outcome.INTERRUPTED
    assert endpoint.in_force == Traffic({OLD: 100})
    endpoint.set_traffic(Traffic({OLD: 50, NEW: 50}))
    file.unlink()
    file.mkdir()
    assert put_back(endpoint, PLAN, Journal(file), "why") is Outcome.ROLLED_BACK
    assert endpoint.in_force == Traffic({OLD: 100})


def test_it_goes_back_whatever_the_endpoint_raises(endpoint: Simulated, tmp_path: Path):
    """Libraries have errors of their own, which are tried again as well."""
    refusals = iter([AttributeError("scaleType"), ValueError("no JSON"), TimeoutError()])
    in_force = endpoint.set_traffic

    def refusing(traffic: Traffic) -> None:
        for error in refusals:
            raise error
        in_force(traffic)

    endpoint.set_traffic = refusing  # type: ignore[method-assign]
    told = put_back(endpoint, PLAN, journal(endpoint, tmp_path), "why", timer=endpoint.timer, sleep=endpoint.sleep)
    assert told is Outcome.ROLLED_BACK
    troubles = [event["error"] for event in _all_events(tmp_path) if event["event"] == "trouble"]
    assert troubles == ["scaleType", "no JSON", "TimeoutError"]


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
@pytest.mark.parametrize("bad", [{}, {"failing": 0.3}])
def test_a_clock_that_is_set_changes_nothing(endpoint: Simulated, tmp_path: Path, bad: dict[str, float], jump: float):
    """Neither how long a step is held nor which requests it is judged by."""
    passes = endpoint.sleep

    def sleep(seconds: float) -> None:
        passes(seconds)
        if 150 <= endpoint.slept < 150 + seconds:
            endpoint.now += jump
            endpoint.bad, endpoint.bad_from = bad, -1e9

    endpoint.sleep = sleep  # type: ignore[method-assign]
    assert rollout(endpoint, tmp_path) is (Outcome.ROLLED_BACK if bad else Outcome.PROMOTED)
    assert endpoint.slept < (300 if bad else 600)


def test_nobody_who_directs_the_traffic_by_hand_is_overruled(endpoint: Simulated, tmp_path: Path):
    """Who took it from the new one does not see the next step give it more."""
    passes = endpoint.sleep

    def sleep(seconds: float) -> None:
        passes(seconds)
        if endpoint.in_force.live.get(NEW) == 10:
            endpoint.in_force = Traffic({OLD: 100})

    endpoint.sleep = sleep  # type: ignore[method-assign]
    assert rollout(endpoint, tmp_path) is Outcome.ROLLED_BACK
    assert max(endpoint.shares) == 10
    assert "somebody else" in reason(endpoint, tmp_path)


def test_a_good_one_is_promoted_though_the_old_one_dies(endpoint: Simulated, tmp_path: Path):
    """Where half of the clients are with it already, the way on is the way out."""
    passes = endpoint.sleep

    def sleep(seconds: float) -> None:
        passes(seconds)
        if endpoint.in_force.live.get(NEW) == 50:
            endpoint.states[OLD] = State.FAILED

    endpoint.sleep = sleep  # type: ignore[method-assign]
    assert rollout(endpoint, tmp_path) is Outcome.PROMOTED


def test_one_that_vanished_meanwhile_is_deployed_again(endpoint: Simulated, tmp_path: Path):
    """What was proven of it before counts for nothing."""
    endpoint.killed_at = 40
    with pytest.raises(Killed):
        rollout(endpoint, tmp_path)
    endpoint.killed_at = float("inf")
    endpoint.set_traffic(Traffic({OLD: 100}))
    endpoint.delete(NEW)
    assert rollout(endpoint, tmp_path) is Outcome.PROMOTED


def test_the_breach_is_what_ended_it_though_the_way_back_was_cut_off(endpoint: Simulated, tmp_path: Path):
    """So the next rollout of the same begins anew, with or without a guard between."""
    written = journal(endpoint, tmp_path)
    written.write("started", key="diabetes: blue to green, v2", endpoint="diabetes", plan={})
    written.write("proven", step=asdict(PLAN.steps[0]), both_live=None)
    written.write("back", reason="errors 9 %", outcome=Outcome.ROLLED_BACK, share=0, live={OLD: 100}, mirror={})
    assert written.continued("diabetes: blue to green, v2") == []
    assert recover(endpoint, PLAN, written, "died", earlier=[]) is Outcome.ROLLED_BACK
    assert reason(endpoint, tmp_path) == "errors 9 %"


def test_a_half_written_line_costs_no_other(tmp_path: Path):
    """What is written next stands on a line of its own, whatever bytes are before it."""
    file = tmp_path / "journal.jsonl"
    file.write_bytes(b'{"at": 1.0, "event": "started"}\n{"at": 2.0, "ev\xff\x00')
    Journal(file).write("started", key="v3")
    Journal(file).write("ended", outcome=Outcome.PROMOTED)
    assert [event["event"] for event in Journal(file).last()] == ["started", "ended"]
    assert Journal(file).last()[0]["key"] == "v3"


def test_a_journal_is_written_by_one_rollout_at_a_time(tmp_path: Path):
    """The second, and one that can't write at all, are told before anything is changed."""
    file = tmp_path / "journal.jsonl"
    with (
        Journal(file).alone(),
        pytest.raises(EndpointError, match="Another rollout is writing"),
        Journal(file).alone(),
    ):
        pass
    with pytest.raises(EndpointError, match="can't be written"), Journal(file / "below" / "a file").alone():
        pass
    with Journal(file).alone():
        pass


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"predictions": null}', b'{"predictions": [1]}', b"\xff"])
def test_an_answer_that_is_none_is_a_breach(endpoint: Simulated, tmp_path: Path, body: bytes):
    """Though its status is 200: not an accident after which a rollout goes on."""
    endpoint.score = lambda *_: Answer(200, body, 1.0)  # type: ignore[method-assign]
    assert rollout(endpoint, tmp_path) is Outcome.ROLLED_BACK
    assert "other predictions" in reason(endpoint, tmp_path)
    asked = Questions(rows=[[1.0], [2.0]]).agreement(_Two(body), NEW, OLD)
    assert asked is not None
    assert asked.same == 0


class _Two(Simulated):
    """The old one answers two rows, the new one as it is told."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.body = body

    def score(self, body: bytes, deployment: str | None = None) -> Answer:
        return Answer(200, self.body if deployment == NEW else b'{"predictions": [1.0, 2.0]}', 1.0)


@settings(max_examples=60, deadline=None)
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
    """With a guard left or without, then run again: in the end one of the two has all traffic, and a bad one none."""
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
        assert endpoint.in_force == Traffic({NEW if outcome is Outcome.PROMOTED else OLD: 100})
        if bad and bad_after < 200:
            assert outcome is not Outcome.PROMOTED


def _run_and_recover(endpoint: Simulated, folder: Path, *, guarded: bool) -> Outcome | None:
    """None where it was killed, or could not begin, and nobody looked after it."""
    try:
        return rollout(endpoint, folder)
    except EndpointError:
        return None
    except Killed:
        endpoint.killed_at = float("inf")
        if not guarded or not journal(endpoint, folder).last():
            return None
        return recover(endpoint, PLAN, journal(endpoint, folder), "killed", earlier=[])


def _check_shares(endpoint: Simulated, folder: Path) -> None:
    """Each larger share was set after the next smaller one was proven, by the journal."""
    shares, proven = [0, 10, 50, 100], 0
    for event in _all_events(folder):
        if event["event"] == "traffic":
            share = event["live"].get(NEW, 0)
            assert shares.index(share) <= shares.index(proven) + 1
        if event["event"] == "proven" and event["step"]["action"] == "traffic":
            proven = max(proven, event["step"]["percent"])
    assert max(endpoint.shares, default=0) <= shares[min(shares.index(proven) + 1, 3)]


def _all_events(folder: Path) -> list[Any]:
    file = folder / "journal.jsonl"
    return [orjson.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
