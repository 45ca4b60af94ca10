"""Rollouts are judged by golden rows and by the predictions for the old deployment's rows."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from mlops.endpoint import EndpointAnswer, EndpointError, State
from mlops.rollout import report
from mlops.rollout.journal import RolloutOutcome
from mlops.rollout.plan import Check, Plan, steps
from mlops.rollout.progress import line_of
from mlops.rollout.questions import Questions
from simulated_endpoint import NEW, OLD, PLAN, RULES, Simulated, all_events, journal, rollout

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
    assert rollout(endpoint, tmp_path) is RolloutOutcome.INCONCLUSIVE
    assert endpoint.shares == [0, 0]
    assert "not decided: predictions agree on 0 of 2 rows" in reason(endpoint, tmp_path)
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
