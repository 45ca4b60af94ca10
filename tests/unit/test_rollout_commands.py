"""The command line of rollouts: what it plans, refuses and asks back. The rest is in tests/deploy."""

import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

import support
from errors import StartupError
from mlops.cli import main
from mlops.rollout import commands, targets
from mlops.rollout.endpoint import Answer, Observation, Traffic
from mlops.rollout.journal import Journal
from mlops.rollout.questions import Questions
from still_endpoint import GREEN, WORKSPACE, Still


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Still:
    made = Still({"blue": 100})
    monkeypatch.setattr(targets, "connector", lambda *_: lambda: made)
    return made


def mlops(*words: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(word) for word in words], env=WORKSPACE)
    return result.exit_code, result.output


@pytest.fixture
def green(tmp_path: Path) -> Path:
    file = tmp_path / "green.yml"
    file.write_text(GREEN)
    return file


def started(file: Path, key: str = "v2") -> Journal:
    journal = Journal(file)
    journal.write("started", key=key, endpoint="diabetes", plan={"old": "blue", "new": "green"})
    return journal


def test_a_plan_is_told_and_nothing_done(endpoint: Still, green: Path, tmp_path: Path):
    """With the old deployment found by its traffic."""
    status, told = mlops("rollout", green, "--plan", "--out", tmp_path / "out")
    assert status == 0
    assert told.splitlines() == [
        "1. deploy green with no traffic, wait until it is ready",
        "2. ask green its golden rows, by the header azureml-model-deployment",
        "3. mirror 10 % of the requests to green; judge",
        "4. traffic 10 % to green; judge",
        "5. traffic 50 % to green; judge",
        "6. traffic 100 % to green; judge",
        "7. keep blue without traffic for 30 min; judge",
        "8. delete blue",
        "each share is held for 5 min at least, 60 min at most; on a breach, an error or an interrupt all traffic goes "
        "back to blue",
    ]
    assert endpoint.in_force == Traffic({"blue": 100})
    assert not (tmp_path / "out").exists()


def test_a_split_is_planned_up_to_where_it_is_held(endpoint: Still, green: Path):
    """And no deployment is deleted."""
    _, told = mlops("rollout", green, "--plan", "--hold", "50", "--mirror", "0")
    assert [line.partition(". ")[2] for line in told.splitlines()[2:-1]] == [
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
    """In one sentence, with what to do."""
    endpoint.in_force = Traffic(live)
    status, told = mlops("rollout", green, "--plan")
    assert status == 1
    assert sentence in told
    assert len(told.splitlines()) == 1


def test_a_rollout_that_has_succeeded_may_be_called_again(endpoint: Still, green: Path, tmp_path: Path):
    """As a pipeline that is run again does."""
    endpoint.in_force = Traffic({"green": 100})
    key = f"diabetes: blue to green, {targets.key(green, Questions())}"  # as the controller writes it
    journal = started(tmp_path / "diabetes.jsonl", key)
    journal.write("ended", outcome="promoted", reason="every step was proven", left=[])
    status, told = mlops("rollout", green, "--out", tmp_path)
    assert status == 0
    assert "promoted already" in told


@pytest.mark.parametrize("text", ["", "name: green\n", "- 1\n", "name: [\n", "name: 1\nendpoint_name: x\n"])
def test_a_file_that_is_no_deployment_is_refused(endpoint: Still, tmp_path: Path, text: str):
    """Before Azure is asked anything."""
    file = tmp_path / "bad.yml"
    file.write_text(text)
    status, told = mlops("rollout", file)
    assert status == 1
    assert str(file) in told


@pytest.mark.parametrize("shares", ["0,50", "50,10", "10,10", "ten", "50,101", ""])
def test_shares_that_do_not_rise_are_refused(endpoint: Still, green: Path, shares: str):
    """With an example."""
    status, told = mlops("rollout", green, "--traffic", shares)
    assert status == 2
    assert "10,50,100" in told


def test_a_rollback_goes_to_where_the_last_rollout_came_from(endpoint: Still, tmp_path: Path):
    """Again there is nothing to do, and that is no failure."""
    started(tmp_path / "diabetes.jsonl")
    endpoint.in_force = Traffic({"blue": 50, "green": 50})
    assert mlops("rollback", "diabetes", "--plan", "--out", tmp_path)[0] == 0
    assert endpoint.in_force == Traffic({"blue": 50, "green": 50})
    assert mlops("rollback", "diabetes", "--out", tmp_path)[0] == 0
    assert endpoint.in_force == Traffic({"blue": 100})
    status, told = mlops("rollback", "diabetes", "--out", tmp_path)
    assert status == 0
    assert "nothing to roll back" in told


@pytest.mark.parametrize(
    ("words", "sentence"), [([], "name the deployment to go back to by --to"), (["--to", "red"], "no deployment red")]
)
def test_a_rollback_to_nowhere_is_refused(endpoint: Still, tmp_path: Path, words: list[str], sentence: str):
    """And changes nothing."""
    endpoint.in_force = Traffic({"green": 100})
    status, told = mlops("rollback", "diabetes", "--out", tmp_path, *words)
    assert status == 1
    assert sentence in told
    assert endpoint.in_force == Traffic({"green": 100})


def test_a_comparison_without_requests_says_so(endpoint: Still):
    """There is nothing to draw."""
    status, told = mlops("compare", "diabetes", "--old", "blue", "--new", "green")
    assert status == 1
    assert "take more minutes" in told


def test_another_model_in_the_same_file_is_another_rollout(green: Path):
    """What was proven of the one says nothing of the other."""
    asked = Questions(golden=[({"data": [[1]], "method": "predict"}, [0])])
    other = Questions(golden=[({"data": [[1]], "method": "predict"}, [1])])
    assert targets.key(green, asked) != targets.key(green, other)
    assert targets.key(green, asked) == targets.key(green, asked)


def test_without_azures_clients_it_is_told_how_to_get_them(green: Path, monkeypatch: pytest.MonkeyPatch):
    """They are an extra: serving does without."""
    monkeypatch.setitem(sys.modules, "mlops.rollout.azure_endpoint", None)
    monkeypatch.delattr("mlops.rollout.azure_endpoint", raising=False)
    status, told = mlops("rollout", green)
    assert status == 1
    assert "-m pip install -e '.[deploy]'" in told


def test_an_artifact_without_a_manifest_is_refused(green: Path, tmp_path: Path):
    """Rather than to roll out without golden rows."""
    with pytest.raises(StartupError, match="mlops package"):
        targets.questions({"model": None}, green, tmp_path, [])


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
    signed = {"name": "green", "endpoint_name": "diabetes", "model": {"path": "signed"}}
    for asked in (
        targets.questions({}, green, artifact, tmp_path / "rows.csv"),
        targets.questions(signed, green, None, tmp_path / "rows.csv"),
    ):
        assert {row[asked.columns.index("grade")] for row in asked.rows} == {"1"}
    seen: list[Questions] = []
    monkeypatch.setattr(commands, "say_comparison", lambda endpoint, old, new, since, asked, out: seen.append(asked))
    told = ("--sample", tmp_path / "rows.csv", "--model-dir", artifact)
    assert mlops("compare", "diabetes", "--old", "blue", "--new", "green", *told) == (0, "")
    assert (seen[0].columns, {row[2] for row in seen[0].rows}) == (list(frame.columns), {"1"})


def test_a_sample_that_the_old_deployment_refuses_is_told(
    endpoint: Still, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Otherwise nobody would know that no predictions were compared."""
    (tmp_path / "rows.csv").write_text("a\n1\n")
    seen = [Observation(time.time(), name, 200, 1.0) for name in ("blue", "green")]
    monkeypatch.setattr(endpoint, "observations", lambda since: seen)
    told = ("compare", "diabetes", "--old", "blue", "--new", "green", "--sample", tmp_path / "rows.csv")
    note = "note: blue does not answer the rows of the sample, so no predictions are compared"
    assert note not in mlops(*told, "--out", tmp_path)[1]
    monkeypatch.setattr(endpoint, "score", lambda *_: Answer(422, b"{}", 1.0))
    status, said = mlops(*told, "--out", tmp_path)
    assert (status, note in said) == (0, True)
