"""Rollouts on a simulated endpoint: good ones, bad ones, and what people and clocks do
meanwhile."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import orjson
import pytest

from mlops.endpoint import EndpointAnswer, EndpointError, State, Status, Traffic, direct
from mlops.rollout import report
from mlops.rollout.controller import Rollout
from mlops.rollout.guard import recover
from mlops.rollout.journal import Event, Journal, RolloutOutcome
from mlops.rollout.plan import Check, Plan, steps
from mlops.rollout.progress import line_of
from mlops.rollout.questions import Questions
from mlops.rollout.way_back import put_back
from simulated_endpoint import (
    GOLDEN,
    NEW,
    OLD,
    PLAN,
    RULES,
    Killed,
    Simulated,
    all_events,
    back,
    claim,
    journal,
    rollout,
)

UNCHECKED_GOLDEN = replace(PLAN, steps=steps(golden=False), unchecked=(Check.GOLDEN,))


@pytest.fixture
def endpoint() -> Simulated:
    return Simulated()


def reason(endpoint: Simulated, folder: Path) -> str:
    return str(journal(endpoint, folder).last()[-1]["reason"])


def test_a_good_one_is_promoted_step_by_step(endpoint: Simulated, tmp_path: Path):
    """The old one is deleted at the end."""
    assert rollout(endpoint, tmp_path) is RolloutOutcome.PROMOTED
    assert endpoint.shares == [0, 10, 50, 100]
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
    assert rollout(endpoint, tmp_path) is RolloutOutcome.ROLLED_BACK
    assert endpoint.in_force == Traffic({OLD: 100})
    assert max(endpoint.shares, default=0) <= {0: 0, 70: 10, 140: 50, 210: 100}[after]
    assert why in reason(endpoint, tmp_path) or "golden rows" in reason(endpoint, tmp_path)
    assert NEW in journal(endpoint, tmp_path).last()[-1]["left"][0]


def test_one_that_does_not_start_gets_no_request(endpoint: Simulated, tmp_path: Path):
    """The reason has the last line of its log."""
    endpoint.starts = False
    assert rollout(endpoint, tmp_path) is RolloutOutcome.ROLLED_BACK
    assert "ModuleNotFoundError: sklearn" in reason(endpoint, tmp_path)
    assert endpoint.shares == []


def test_too_few_requests_prove_nothing(endpoint: Simulated, tmp_path: Path):
    """After the patience the traffic goes back, and the reason says what was missing."""
    plan = Plan(OLD, NEW, steps(mirror=1), hold_s=10, patience_s=50)
    assert rollout(endpoint, tmp_path, plan) is RolloutOutcome.ROLLED_BACK
    assert "is not proven" in reason(endpoint, tmp_path)


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
    assert endpoint.shares == [0, 10, 50, 100]


def test_what_was_proven_of_another_deployment_counts_for_nothing(
    endpoint: Simulated, tmp_path: Path
):
    """The other one is not taken over while it is live either."""
    rollout(endpoint, tmp_path, Plan(OLD, NEW, steps(traffic=[10, 50]), hold_s=60), key="v2")
    with pytest.raises(EndpointError, match="give blue 100 first"):
        rollout(endpoint, tmp_path, key="v3")
    assert endpoint.in_force == Traffic({OLD: 50, NEW: 50})


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
    """Half of the clients are with the new one by then, so going on is the way out."""
    passes = endpoint.sleep

    def sleep(seconds: float) -> None:
        passes(seconds)
        if endpoint.in_force.live.get(NEW) == 50:
            endpoint.states[OLD] = State.FAILED

    endpoint.sleep = sleep  # type: ignore[method-assign]
    assert rollout(endpoint, tmp_path) is RolloutOutcome.PROMOTED


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
        if endpoint.in_force == Traffic({NEW: 100}):
            endpoint.killed_at = endpoint.calls
            raise Killed

    endpoint.sleep = sleep  # type: ignore[method-assign]
    with pytest.raises(Killed):
        rollout(endpoint, tmp_path)
    endpoint.sleep, endpoint.killed_at = passes, float("inf")  # type: ignore[method-assign]
    assert rollout(endpoint, tmp_path) is RolloutOutcome.PROMOTED
    assert endpoint.shares == [0, 10, 50, 100]
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
    written.write("proven", step=asdict(PLAN.steps[0]), both_live=None)
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


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"predictions": null}', b'{"predictions": [1]}', b"\xff"]
)
@pytest.mark.parametrize("plan", [PLAN, UNCHECKED_GOLDEN])
def test_an_answer_that_is_none_is_a_breach(
    endpoint: Simulated, tmp_path: Path, body: bytes, plan: Plan
):
    """Though its status is 200: not an accident after which a rollout goes on. Golden rows find it,
    or the others."""
    nonsense(endpoint, EndpointAnswer(200, body, 1.0), NEW)
    assert rollout(endpoint, tmp_path, plan) is RolloutOutcome.ROLLED_BACK
    assert ("other predictions" if plan is PLAN else "agree on 0 of 2 rows") in reason(
        endpoint, tmp_path
    )


def nonsense(endpoint: Simulated, instead: EndpointAnswer, *names: str) -> None:
    """Those deployments answer so from now on, whatever they are asked by name."""
    score = endpoint.score
    endpoint.score = lambda body, name=None: instead if name in names else score(body, name)  # type: ignore[method-assign]


def refuses_more_than_a_hundred(endpoint: Simulated) -> None:
    score = endpoint.score

    def limited(body: bytes, name: str | None = None) -> EndpointAnswer:
        return (
            score(body, name)
            if len(orjson.loads(body)["data"]) <= 100
            else EndpointAnswer(413, b"{}", 1.0)
        )

    endpoint.score = limited  # type: ignore[method-assign]


@pytest.mark.parametrize("rows", [100, 101, 250])
def test_a_sample_of_any_length_is_compared(endpoint: Simulated, tmp_path: Path, rows: int):
    """If 101 rows all differ, none agrees, though a service refuses more than 100 at once."""
    refuses_more_than_a_hundred(endpoint)
    endpoint.bad, endpoint.bad_from = {"other": 1.0}, endpoint.now
    asked = Questions(rows=[[float(row)] for row in range(rows)])
    assert (
        rollout(endpoint, tmp_path, UNCHECKED_GOLDEN, questions=asked) is RolloutOutcome.ROLLED_BACK
    )
    assert f"predictions agree on 0 of {rows} rows" in reason(endpoint, tmp_path)


@pytest.mark.parametrize(
    ("asked", "waived", "sentence"),
    [
        (Questions(), (), r"check golden-rows and predictions by; give the folder .* --artifact"),
        (
            Questions(rows=[[1.0]]),
            (),
            r"check golden-rows by; .* or go on with --without golden-rows\.",
        ),
        (
            Questions(),
            (Check.GOLDEN,),
            r"check predictions by; give rows by --sample, .* --without predictions\.",
        ),
    ],
)
def test_a_check_with_nothing_to_ask_refuses_the_rollout(
    endpoint: Simulated, tmp_path: Path, asked: Questions, waived: tuple[Check, ...], sentence: str
):
    """Nothing is changed; the error says what to give and how to go on without."""
    with pytest.raises(EndpointError, match=sentence):
        rollout(endpoint, tmp_path, replace(PLAN, unchecked=waived), questions=asked)
    assert (endpoint.shares, endpoint.states, all_events(tmp_path)) == ([], {OLD: State.READY}, [])


@pytest.mark.parametrize(
    "instead",
    [
        EndpointAnswer(422, b"{}", 1.0),
        EndpointAnswer(503, b"", 1.0),
        EndpointAnswer(200, b"{}", 1.0),
    ],
)
def test_rows_that_the_old_one_does_not_answer_refuse_the_rollout(
    endpoint: Simulated, tmp_path: Path, instead: EndpointAnswer
):
    """Nothing is changed: the old one may take other columns, or be down."""
    nonsense(endpoint, instead, OLD)
    with pytest.raises(
        EndpointError, match=rf"blue does not answer .* \(status {instead.status}.*\); give rows"
    ):
        rollout(endpoint, tmp_path)
    assert (endpoint.shares, endpoint.states) == ([], {OLD: State.READY})


def fails_once_new_has(endpoint: Simulated, share: int) -> None:
    """The old one answers nobody any more from then on."""
    passes = endpoint.sleep

    def sleep(seconds: float) -> None:
        passes(seconds)
        if {**endpoint.in_force.live, **endpoint.in_force.mirror}.get(NEW) == share:
            endpoint.sleep = passes  # type: ignore[method-assign]
            nonsense(endpoint, EndpointAnswer(503, b"", 1.0), OLD)

    endpoint.sleep = sleep  # type: ignore[method-assign]


def test_predictions_that_were_never_compared_are_not_proven(endpoint: Simulated, tmp_path: Path):
    """The old one stops answering the rows while requests are mirrored: that is no agreement."""
    fails_once_new_has(endpoint, 10)
    assert rollout(endpoint, tmp_path) is RolloutOutcome.ROLLED_BACK
    assert endpoint.shares == [0, 0]
    assert "not proven: predictions agree on 0 of 2 rows" in reason(endpoint, tmp_path)
    assert "the old one does not answer 2" in reason(endpoint, tmp_path)


def test_predictions_that_were_compared_stay_so_when_the_old_one_dies(
    endpoint: Simulated, tmp_path: Path
):
    """The way on is the way out, and each look says what it could not check."""
    fails_once_new_has(endpoint, 50)
    assert rollout(endpoint, tmp_path) is RolloutOutcome.PROMOTED
    looks = [line_of(event) for event in all_events(tmp_path) if event["event"] == "look"]
    assert "; predictions unchecked: predictions agree on 0 of 2 rows" in looks[-1]
    assert "unchecked" not in looks[0]


def test_a_rollout_goes_on_after_an_interrupt_though_the_old_one_died_meanwhile(
    endpoint: Simulated, tmp_path: Path
):
    """What its earlier steps have compared is not asked again before it begins."""
    assert (
        rollout(endpoint, tmp_path, Plan(OLD, NEW, steps(traffic=[10, 50]), hold_s=60))
        is RolloutOutcome.HELD
    )
    nonsense(endpoint, EndpointAnswer(503, b"", 1.0), OLD)
    assert rollout(endpoint, tmp_path) is RolloutOutcome.PROMOTED


def test_what_was_waived_is_named_to_the_end(endpoint: Simulated, tmp_path: Path):
    """The plan, the start, each look, the last line and the report name it, never as proven."""
    plan = replace(PLAN, steps=steps(golden=False), unchecked=tuple(Check))
    assert rollout(endpoint, tmp_path, plan, questions=Questions()) is RolloutOutcome.PROMOTED
    waived = "not checked: golden-rows, predictions"
    assert plan.lines()[-1] == waived
    assert not any("golden" in line for line in plan.lines()[:-1])
    events = all_events(tmp_path)
    lines = [line_of(event) for event in events]
    assert lines[0].endswith(waived)
    assert lines[-1].startswith(f"promoted: every step was proven; {waived}")
    assert not any("golden rows" in line for line in lines)
    looks = [line for line in lines if "requests" in line]
    assert looks
    assert all("predictions unchecked: not compared, as was asked for" in line for line in looks)
    report.write(events, tmp_path / "page.html", RULES.slo)
    assert "Not checked: golden-rows, predictions." in (tmp_path / "page.html").read_text()
