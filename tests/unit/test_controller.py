"""Rollouts on a simulated endpoint: good ones, bad ones, and what people and clocks do meanwhile."""

from dataclasses import asdict
from pathlib import Path

import pytest

from mlops.rollout.controller import Rollout, put_back
from mlops.rollout.endpoint import Answer, EndpointError, State, Traffic
from mlops.rollout.guard import recover
from mlops.rollout.journal import Event, Journal, Outcome
from mlops.rollout.plan import Plan, steps
from mlops.rollout.progress import said
from mlops.rollout.questions import Questions
from simulated_endpoint import GOLDEN, NEW, OLD, PLAN, RULES, Killed, Simulated, all_events, journal, rollout


@pytest.fixture
def endpoint() -> Simulated:
    return Simulated()


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
    assert "az ml online-endpoint update --name diabetes --traffic blue=100" in all_events(tmp_path)[-1]["reason"]


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
    troubles = [event["error"] for event in all_events(tmp_path) if event["event"] == "trouble"]
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
    written.write("started", key="diabetes: blue to green, v2", endpoint="diabetes", plan=asdict(PLAN))
    written.write("proven", step=asdict(PLAN.steps[0]), both_live=None)
    written.write("back", reason="errors 9 %", outcome=Outcome.ROLLED_BACK, share=0, live={OLD: 100}, mirror={})
    assert written.continued("diabetes: blue to green, v2") == []
    assert recover(endpoint, PLAN, written, "died", earlier=[]) is Outcome.ROLLED_BACK
    assert reason(endpoint, tmp_path) == "errors 9 %"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"predictions": null}', b'{"predictions": [1]}', b"\xff"])
def test_an_answer_that_is_none_is_a_breach(endpoint: Simulated, tmp_path: Path, body: bytes):
    """Though its status is 200: not an accident after which a rollout goes on."""
    endpoint.score = lambda *_: Answer(200, body, 1.0)  # type: ignore[method-assign]
    assert rollout(endpoint, tmp_path) is Outcome.ROLLED_BACK
    assert "other predictions" in reason(endpoint, tmp_path)
    asked = Questions(rows=[[1.0], [2.0]]).agreement(_Two(body), NEW, OLD)
    assert asked is not None
    assert asked.same == 0


def test_predictions_that_can_not_be_compared_are_told_of(endpoint: Simulated, tmp_path: Path):
    """The old one may take other columns: that holds no rollout up, but each look says so."""
    score = endpoint.score
    refusal = Answer(422, b"{}", 1.0)
    endpoint.score = lambda body, name=None: refusal if name == OLD else score(body, name)  # type: ignore[method-assign]
    assert rollout(endpoint, tmp_path) is Outcome.PROMOTED
    looks = [said(event) for event in all_events(tmp_path) if event["event"] == "look"]
    assert looks
    assert all("; predictions unchecked: the old one does not answer the rows" in look for look in looks)


def test_without_rows_nothing_is_said_of_predictions(endpoint: Simulated, tmp_path: Path):
    """Nobody has asked for a comparison."""
    assert rollout(endpoint, tmp_path, questions=Questions()) is Outcome.PROMOTED
    assert not any("predictions" in str(event) for event in all_events(tmp_path))


class _Two(Simulated):
    """The old one answers two rows, the new one as it is told."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.body = body

    def score(self, body: bytes, deployment: str | None = None) -> Answer:
        return Answer(200, self.body if deployment == NEW else b'{"predictions": [1.0, 2.0]}', 1.0)
