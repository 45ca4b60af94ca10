"""The command line of rollouts: what it plans, refuses and asks back. The rest is in
tests/deploy."""

import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import support
from mlops.endpoint import EndpointAnswer, Traffic
from mlops.exit_status import ExitStatus
from mlops.rollout import compare_command, targets
from mlops.rollout.guard import Task
from mlops.rollout.questions import Questions
from mlops.rollout.record import RolloutPhase
from mlops.traffic_blocks import TrafficBlock
from places import REPOSITORY
from still_endpoint import ROLLING, Still, mlops, started

WAIVED = ("--without", "golden-rows", "--without", "predictions")


def test_a_plan_is_told_and_nothing_done(endpoint: Still, green: Path, tmp_path: Path):
    """The old deployment is found by its traffic."""
    status, told = mlops("rollout", green, "--plan", "--out", tmp_path / "out")
    assert status == 0
    assert told.splitlines() == [
        "1. deploy green with no traffic, wait until it is ready",
        "2. ask green its golden rows, by the header azureml-model-deployment",
        "3. mirror 10 % of the requests to green; judge",
        "4. traffic 10 % to green; judge",
        "5. traffic 50 % to green; judge",
        "6. traffic 90 % to green; judge",
        "7. keep blue for 30 min; judge; then all traffic to green",
        "8. delete blue",
        "blue keeps 10 % of the traffic to the end of step 7, as the control",
        "each share is held for 5 min at least, 60 min at most, then all goes back; on a breach, "
        "an error or an interrupt all traffic goes back to blue",
        "green gets blue's autoscale setting, if any, before its traffic, and loses it on the way "
        "back",
    ]
    assert endpoint.in_force == Traffic({"blue": 100})
    assert not (tmp_path / "out").exists()


def test_what_the_traffic_can_prove_is_told_and_nothing_done(endpoint: Still, green: Path):
    """By the last hour's requests; without any it says what to do."""
    status, told = mlops("rollout", green, "--power")
    assert status == ExitStatus.SERVER
    assert "blue had no requests in the last hour" in told
    block = TrafficBlock(0.0, "blue", 36_000, 36, 0, ((100, 30_000), (150, 5964)))
    endpoint.blocks = lambda _: [block]  # type: ignore[method-assign]
    status, told = mlops("rollout", green, "--power")
    assert status == 0
    assert told.startswith("10 requests a second, 0.10% of them fail, P99 19 ms")
    assert "errors +1 points: found in 10 min, at mirror 10 %" in told
    assert endpoint.in_force == Traffic({"blue": 100})


def test_a_split_is_planned_up_to_where_it_is_held(endpoint: Still, green: Path):
    """No deployment is deleted."""
    _, told = mlops("rollout", green, "--plan", "--hold", "50", "--mirror", "0")
    assert [line.partition(". ")[2] for line in told.splitlines()[2:-2]] == [
        "traffic 10 % to green; judge",
        "traffic 50 % to green; judge",
    ]


@pytest.mark.parametrize(
    ("live", "sentence"),
    [
        ({}, "No deployment has traffic"),
        ({"green": 100}, "green has all traffic already"),
        ({"blue": 50, "red": 50}, "blue and red share the traffic"),
    ],
)
def test_an_endpoint_that_is_not_ready_for_a_rollout_is_told(
    endpoint: Still, green: Path, live: dict[str, int], sentence: str
):
    """The error is one sentence with what to do."""
    endpoint.in_force = Traffic(live)
    status, told = mlops("rollout", green, "--plan")
    assert status == ExitStatus.SERVER
    assert sentence in told
    assert len(told.splitlines()) == 1


def test_a_rollout_that_has_succeeded_may_be_called_again(
    endpoint: Still, green: Path, tmp_path: Path
):
    """A repeated pipeline does this. If somebody else rolled out since, it may be another model."""
    endpoint.in_force = Traffic({"green": 100})
    endpoint.tags = replace(ROLLING, phase=RolloutPhase.PROMOTED).on({})
    key = (
        f"diabetes: blue to green, {targets.key(green, Questions())}"  # as the controller writes it
    )
    journal = started(tmp_path / "diabetes.jsonl", key)
    journal.write("ended", outcome="promoted", reason="every step was proven", left=[])
    status, told = mlops("rollout", green, *WAIVED, "--out", tmp_path)
    assert status == 0
    assert "promoted already" in told
    endpoint.tags = replace(ROLLING, phase=RolloutPhase.PROMOTED, run="another").on({})
    status, told = mlops("rollout", green, *WAIVED, "--out", tmp_path)
    assert (status, "promoted already" in told) == (ExitStatus.SERVER, False)


def test_a_rollout_whose_machine_vanished_at_the_end_is_gone_on_with(
    endpoint: Still, green: Path, tmp_path: Path, tasks: list[Task]
):
    """The new one has all traffic; the endpoint's tags tell which was the old one."""
    endpoint.in_force, endpoint.tags = Traffic({"green": 100}), ROLLING.on({})
    started(tmp_path / "diabetes.jsonl")
    assert mlops("rollout", green, *WAIVED, "--out", tmp_path)[0] == 0
    assert tasks[0].plan.old == "blue"


@pytest.mark.parametrize(
    "text", ["", "name: green\n", "- 1\n", "name: [\n", "name: 1\nendpoint_name: x\n"]
)
def test_a_file_that_is_no_deployment_is_refused(endpoint: Still, tmp_path: Path, text: str):
    """Azure is not asked anything."""
    file = tmp_path / "bad.yml"
    file.write_text(text)
    status, told = mlops("rollout", file)
    assert status == ExitStatus.UNUSABLE
    assert str(file) in told


def test_an_endpoint_on_kubernetes_is_not_rolled_out():
    """It logs and mirrors no traffic, so nothing could be judged; the sentence says how its traffic
    is directed."""
    status, told = mlops(
        "rollout", REPOSITORY / "endpoints" / "kubernetes" / "green-deployment.yml", "--plan"
    )
    assert status == ExitStatus.UNUSABLE
    assert "az ml online-endpoint update --traffic" in told


@pytest.mark.parametrize("shares", ["0,50", "50,10", "10,10", "ten", "50,101", ""])
def test_shares_that_do_not_rise_are_refused(endpoint: Still, green: Path, shares: str):
    """The error has an example."""
    status, told = mlops("rollout", green, "--traffic", shares)
    assert status == 2
    assert "10,50,100" in told


def test_a_comparison_without_requests_says_so(endpoint: Still):
    """There is nothing to draw."""
    status, told = mlops("compare", "diabetes", "--old", "blue", "--new", "green")
    assert status == ExitStatus.UNDECIDED
    assert "take more minutes" in told


def test_another_model_in_the_same_file_is_another_rollout(green: Path):
    """What was proven of the one says nothing of the other."""
    asked = Questions(golden=[({"data": [[1]], "method": "predict"}, [0])])
    other = Questions(golden=[({"data": [[1]], "method": "predict"}, [1])])
    assert targets.key(green, asked) != targets.key(green, other)
    assert targets.key(green, asked) == targets.key(green, asked)


def test_without_azures_clients_it_is_told_how_to_get_them(
    green: Path, monkeypatch: pytest.MonkeyPatch
):
    """They are an extra: serving does without."""
    monkeypatch.setitem(sys.modules, "mlops.rollout.azure_endpoint", None)
    monkeypatch.delattr("mlops.rollout.azure_endpoint", raising=False)
    status, told = mlops("rollout", green, *WAIVED)
    assert status == ExitStatus.UNUSABLE
    assert "-m pip install -e '.[deploy]'" in told


def test_an_artifact_without_a_manifest_is_refused(endpoint: Still, green: Path, tmp_path: Path):
    """No rollout starts without golden rows."""
    (tmp_path / "empty").mkdir()
    status, told = mlops("rollout", green, "--artifact", tmp_path / "empty")
    assert (status, "mlops package" in told) == (ExitStatus.UNUSABLE, True)


def test_a_sample_is_read_by_the_model_that_is_rolled_out(
    endpoint: Still, green: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Its manifest tells, or its MLflow signature; `compare` is given the folder by --model-dir."""
    estimator, frame = support.codes()
    frame = frame.assign(grade="1")
    artifact = support.packaged(estimator, frame, tmp_path)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    (green.parent / "signed").mkdir()
    inputs = '[{"type": "string", "name": "grade"}, {"type": "double", "name": "income"}]'
    (green.parent / "signed" / "MLmodel").write_text(
        f"flavors: {{sklearn: {{pickled_model: model.pkl}}}}\nsignature:\n  inputs: '{inputs}'\n"
    )
    for folder in (artifact, green.parent / "signed"):
        asked = targets.questions(folder, tmp_path / "rows.csv")
        assert {row[asked.columns.index("grade")] for row in asked.rows} == {"1"}
    seen: list[Questions] = []
    monkeypatch.setattr(
        compare_command,
        "say_comparison",
        lambda endpoint, old, new, since, asked, out: seen.append(asked),
    )
    told = ("--sample", tmp_path / "rows.csv", "--model-dir", artifact)
    assert mlops("compare", "diabetes", "--old", "blue", "--new", "green", *told) == (0, "")
    assert (seen[0].columns, {row[2] for row in seen[0].rows}) == (list(frame.columns), {"1"})


def test_predictions_that_could_not_be_compared_are_told(
    endpoint: Still, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The exit status says so if rows were given, else the last line does."""
    (tmp_path / "rows.csv").write_text("a\n1\n")
    seen = [TrafficBlock(time.time(), name, 1, 0, 0, ((0, 1),)) for name in ("blue", "green")]
    monkeypatch.setattr(endpoint, "blocks", lambda since: seen)
    words = ("compare", "diabetes", "--old", "blue", "--new", "green", "--out", tmp_path)
    status, told = mlops(*words)
    assert (status, told.splitlines()[-1]) == (
        0,
        "Not compared: predictions; give rows by --sample.",
    )
    status, told = mlops(*words, "--sample", tmp_path / "rows.csv")
    assert (status, "Not compared" in told) == (0, False)
    monkeypatch.setattr(endpoint, "score", lambda *_: EndpointAnswer(422, b"{}", 1.0))
    status, told = mlops(*words, "--sample", tmp_path / "rows.csv")
    assert status == ExitStatus.UNDECIDED
    assert "Not compared: predictions for 1 of 1 rows, which blue does not answer." in told
    assert told.splitlines()[-1].startswith("Error: No predictions were compared")
