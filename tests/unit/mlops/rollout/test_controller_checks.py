"""Rollouts are judged by golden rows and by the predictions for the old deployment's rows."""

import itertools
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from mlops.endpoint import EndpointAnswer, EndpointError, NotReached, State
from mlops.rollout import report
from mlops.rollout.journal import RolloutOutcome
from mlops.rollout.plan import Check, Plan, steps
from mlops.rollout.progress import line_of
from mlops.rollout.questions import Questions
from simulated_endpoint import (
    GOLDEN,
    NEW,
    OLD,
    PLAN,
    RULES,
    Simulated,
    all_events,
    journal,
    rollout,
)

UNCHECKED_GOLDEN = replace(PLAN, steps=steps(golden=False), unchecked=(Check.GOLDEN,))


@pytest.fixture
def endpoint() -> Simulated:
    return Simulated()


def reason(endpoint: Simulated, folder: Path) -> str:
    return str(journal(endpoint, folder).last()[-1]["reason"])


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
    assert ("other predictions" if plan is PLAN else "agree on 0 of 100 rows") in reason(
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


@pytest.mark.parametrize("share", [10, 50])
def test_predictions_are_compared_though_the_old_one_dies(
    endpoint: Simulated, tmp_path: Path, share: int
):
    """Its answers are kept from before the rollout; the way on is the way out."""
    fails_once_new_has(endpoint, share)
    assert rollout(endpoint, tmp_path) is RolloutOutcome.PROMOTED
    (last,) = [event for event in all_events(tmp_path) if event["event"] == "look"][-1:]
    (found,) = (finding for finding in last["findings"] if finding["check"] == "predictions")
    assert found["standing"] == "fine"
    assert "agree on 100 of 100 rows" in found["text"]


@pytest.mark.parametrize("rows", [1, 10, 89])
def test_too_few_rows_refuse_the_rollout(endpoint: Simulated, tmp_path: Path, rows: int):
    """They could prove nothing; the error says how many do, and nothing is changed."""
    few = Questions(GOLDEN.golden, GOLDEN.rows[:rows])
    with pytest.raises(EndpointError, match=rf"^{rows} rows can't prove .* give 90 or more by"):
        rollout(endpoint, tmp_path, questions=few)
    assert (endpoint.shares, endpoint.states) == ([], {OLD: State.READY})


def test_no_client_meets_predictions_that_differ(endpoint: Simulated, tmp_path: Path):
    """All rows are compared before the new deployment has any traffic, mirrored or not."""
    endpoint.bad, endpoint.bad_from = {"other": 1.0}, endpoint.now
    assert rollout(endpoint, tmp_path, UNCHECKED_GOLDEN) is RolloutOutcome.ROLLED_BACK
    assert "before green has any traffic: predictions agree on 0" in reason(endpoint, tmp_path)
    assert {request.deployment for request in endpoint.seen} <= {OLD}


def test_a_lost_request_of_ours_ends_nothing(endpoint: Simulated, tmp_path: Path):
    """The rows of a request without an answer are asked again at the next look."""
    score, asked = endpoint.score, itertools.count()

    def lossy(body: bytes, name: str | None = None) -> EndpointAnswer:
        if name == NEW and next(asked) % 5 == 4:
            raise NotReached("diabetes can't be reached; check the network.")
        return score(body, name)

    endpoint.score = lossy  # type: ignore[method-assign]
    assert rollout(endpoint, tmp_path) is RolloutOutcome.PROMOTED


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


def test_rows_that_leave_it_open_end_the_rollout_at_once(endpoint: Simulated, tmp_path: Path):
    """Waiting would not change them. The reason says how many decide, and which allowance would
    do."""
    asked = Questions(rows=[[float(row)] for row in range(200)])
    score = endpoint.score

    def unlike(body: bytes, name: str | None = None) -> EndpointAnswer:
        answer = score(body, name)
        return replace(answer, body=answer.body.replace(b"19", b"91")) if name == NEW else answer

    endpoint.score = unlike  # type: ignore[method-assign]
    outcome = rollout(endpoint, tmp_path, UNCHECKED_GOLDEN, questions=asked)
    assert outcome is RolloutOutcome.INCONCLUSIVE
    assert not any(endpoint.shares)
    text = reason(endpoint, tmp_path)
    assert "agree on 188 of 200 rows" in text
    assert "needs --agreement 0.88" in text


def test_a_report_names_rows_that_differ_though_they_may(endpoint: Simulated, tmp_path: Path):
    """A new deployment was accepted; whoever reads the report sees on which rows it differs."""
    asked = Questions(rows=[[float(row)] for row in range(400)])
    score = endpoint.score

    def unlike(body: bytes, name: str | None = None) -> EndpointAnswer:
        answer = score(body, name)
        return (
            replace(answer, body=answer.body.replace(b",17,", b",-1,")) if name == NEW else answer
        )

    endpoint.score = unlike  # type: ignore[method-assign]
    assert rollout(endpoint, tmp_path, UNCHECKED_GOLDEN, questions=asked) is RolloutOutcome.PROMOTED
    report.write(all_events(tmp_path), tmp_path / "page.html", RULES.slo)
    page = (tmp_path / "page.html").read_text()
    assert "Predictions agree on 399 of 400 rows" in page
    assert "rows 18 of those asked." in page


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
    assert all("predictions unchecked: not compared" in line for line in looks)
    report.write(events, tmp_path / "page.html", RULES.slo)
    assert "Not checked: golden-rows, predictions." in (tmp_path / "page.html").read_text()
