"""The command line of rollouts: what it plans, refuses and asks back. The rest is in
tests/deploy."""

import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import support
from deploy.checkout import NAMES
from mlops.endpoint import EndpointAnswer, EndpointError, Observation, Traffic
from mlops.rollout import compare_command, rollout_command, targets
from mlops.rollout.guard import Task
from mlops.rollout.journal import Journal, RolloutOutcome
from mlops.rollout.questions import Questions
from mlops.rollout.record import RolloutPhase
from places import REPOSITORY
from still_endpoint import GREEN, ROLLING, WORKSPACE, Described, Still, mlops

WAIVED = ("--without", "golden-rows", "--without", "predictions")


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return support.packaged(*support.mixed(), tmp_path_factory.mktemp("packaged"))


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, artifact: Path) -> Still:
    """An endpoint in a workspace whose models have manifests."""
    made = Still({"blue": 100})
    monkeypatch.setattr(targets, "connector", lambda *_: lambda: made)
    monkeypatch.setattr(targets, "models", lambda *_: Described(artifact))
    return made


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """What would be rolled out; each is promoted at once."""
    seen: list[Task] = []

    def guarded(task: Task) -> RolloutOutcome:
        seen.append(task)
        started(task.journal).write(
            "ended", outcome="promoted", reason="every step was proven", left=[]
        )
        return RolloutOutcome.PROMOTED

    monkeypatch.setattr(rollout_command, "guarded", guarded)
    return seen


@pytest.fixture
def green(tmp_path: Path) -> Path:
    file = tmp_path / "green.yml"
    file.write_text(GREEN)
    return file


def started(file: Path, key: str = "v2") -> Journal:
    journal = Journal(file)
    journal.write(
        "started",
        key=key,
        run=ROLLING.run,
        endpoint="diabetes",
        plan={"old": "blue", "new": "green"},
    )
    return journal


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
        "6. traffic 100 % to green; judge",
        "7. keep blue without traffic for 30 min; judge",
        "8. delete blue",
        "each share is held for 5 min at least, 60 min at most; on a breach, an error or an "
        "interrupt all traffic goes "
        "back to blue",
        "green gets blue's autoscale setting, if any, before its traffic, and loses it on the way "
        "back",
    ]
    assert endpoint.in_force == Traffic({"blue": 100})
    assert not (tmp_path / "out").exists()


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
    assert status == 1
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
    assert (status, "promoted already" in told) == (1, False)


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
    assert status == 1
    assert str(file) in told


def test_an_endpoint_on_kubernetes_is_not_rolled_out():
    """It logs and mirrors no traffic, so nothing could be judged; the sentence says how its traffic
    is directed."""
    status, told = mlops(
        "rollout", REPOSITORY / "endpoints" / "kubernetes" / "green-deployment.yml", "--plan"
    )
    assert status == 1
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
    assert status == 1
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
    assert status == 1
    assert "-m pip install -e '.[deploy]'" in told


def test_an_artifact_without_a_manifest_is_refused(endpoint: Still, green: Path, tmp_path: Path):
    """No rollout starts without golden rows."""
    (tmp_path / "empty").mkdir()
    status, told = mlops("rollout", green, "--artifact", tmp_path / "empty")
    assert (status, "mlops package" in told) == (1, True)


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
    seen = [Observation(time.time(), name, 200, 1.0) for name in ("blue", "green")]
    monkeypatch.setattr(endpoint, "observations", lambda since: seen)
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
    assert status == 1
    assert "Not compared: predictions for 1 of 1 rows, which blue does not answer." in told
    assert told.splitlines()[-1].startswith("Error: No predictions were compared")


NOWHERE = dict.fromkeys(WORKSPACE)


def test_a_plan_needs_neither_a_workspace_nor_a_sign_in(
    endpoint: Still, green: Path, artifact: Path, monkeypatch: pytest.MonkeyPatch
):
    """It says what the files say; what only Azure knows it does not make up."""
    status, told = mlops("rollout", green, "--plan", env=NOWHERE)
    assert status == 0
    assert "1. deploy green with no traffic" in told
    assert "8. delete the one that serves now" in told
    assert told.splitlines()[-1] == (
        "the rows to ask are fetched before anything is changed, with the manifest of "
        "azureml:diabetes-classifier:2"
    )
    status, told = mlops("rollout", green, "--plan", "--artifact", artifact, env=NOWHERE)
    assert (status, "fetched" in told) == (0, False)

    def nobody() -> Still:
        raise EndpointError(
            "Can't look up endpoint diabetes: nobody is signed in to Azure; run `az login`."
        )

    monkeypatch.setattr(targets, "connector", lambda *_: nobody)
    status, told = mlops("rollout", green, "--plan")
    assert status == 0
    assert "as Azure was not asked: Can't look up endpoint diabetes: nobody is signed in" in told
    assert "8. delete the one that serves now" in told


@pytest.mark.parametrize(
    "words",
    [("rollout", "green.yml"), ("compare", "diabetes", "--old", "blue", "--new", "green")],
)
def test_all_that_is_missing_of_the_workspace_is_named_at_once(
    endpoint: Still, green: Path, words: tuple[str, ...]
):
    """Each is named by its option and its variable."""
    words = tuple(str(green) if word == "green.yml" else word for word in words)
    status, told = mlops(*words, env=NOWHERE | {"AZURE_WORKSPACE": "w"})
    assert status == 2
    assert told.splitlines()[-1] == (
        "Error: The workspace is unknown; give --subscription (AZURE_SUBSCRIPTION_ID), "
        "--resource-group (AZURE_RESOURCE_GROUP), --log-workspace (LOG_ANALYTICS_WORKSPACE_ID)."
    )


def test_a_plan_that_would_check_nothing_is_refused(endpoint: Still, green: Path, tmp_path: Path):
    """The rollout would be refused too; the steps are printed nevertheless."""
    (tmp_path / "model").mkdir()
    green.write_text("name: green\nendpoint_name: diabetes\nmodel: {path: model}\n")
    for env in (NOWHERE, WORKSPACE):
        status, told = mlops("rollout", green, "--plan", env=env)
        assert status == 1
        assert "1. deploy green" in told
        assert "There is nothing to check golden-rows and predictions by" in told.splitlines()[-1]


def test_a_rollout_that_would_check_nothing_asks_azure_for_nothing_more(
    endpoint: Still, green: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tasks: list[Task]
):
    """A registered model without a manifest has no golden rows. Its sample is not enough."""
    monkeypatch.setattr(targets, "models", lambda *_: Described(tmp_path))
    monkeypatch.setattr(targets, "connector", lambda *_: pytest.fail("nothing is to be connected"))
    (tmp_path / "rows.csv").write_text("a\n1\n")
    status, told = mlops("rollout", green, "--sample", tmp_path / "rows.csv")
    assert status == 1
    assert told == (
        "Error: There is nothing to check golden-rows by; give the folder that `mlops package` "
        "wrote by --artifact, or "
        "go on with --without golden-rows.\n"
    )
    assert tasks == []


def test_the_shipped_file_is_checked_by_the_manifest_of_the_version_that_is_deployed(
    endpoint: Still,
    artifact: Path,
    monkeypatch: pytest.MonkeyPatch,
    tasks: list[Task],
    tmp_path: Path,
):
    """It names the latest, which may be another one by the time of the deployment."""
    asked_for: list[object] = []

    def connector(*given: object) -> object:
        asked_for.append(given)
        return lambda: endpoint

    monkeypatch.setattr(targets, "connector", connector)
    green = REPOSITORY / "endpoints" / "green-deployment.yml"
    status, told = mlops("rollout", green, "--out", tmp_path / "out")
    assert (status, "not checked" in told) == (0, False)
    expected = targets.questions(artifact, None)
    assert expected.golden
    assert expected.rows
    assert tasks[0].questions == expected
    assert asked_for[0][-1] == {"green": f"azureml:{NAMES.model}:8"}  # type: ignore[index]
    assert tasks[0].key != targets.key(green, expected)
    _, told = mlops("rollout", green, "--plan")
    assert (
        told.splitlines()[-1]
        == f"green gets azureml:{NAMES.model}:8, which is azureml:{NAMES.model}@latest now"
    )


def test_a_manifest_that_can_not_be_fetched_is_told(
    endpoint: Still,
    green: Path,
    monkeypatch: pytest.MonkeyPatch,
    tasks: list[Task],
    tmp_path: Path,
    artifact: Path,
):
    """The error names the option that makes it unnecessary."""

    class Unreachable(Described):
        def describe(self, *_: object) -> None:
            raise EndpointError(
                "Can't read manifest.json: Azure can't be reached; check the network."
            )

    monkeypatch.setattr(targets, "models", lambda *_: Unreachable(artifact))
    status, told = mlops("rollout", green)
    assert status == 1
    assert told == (
        "Error: Can't read manifest.json: Azure can't be reached; check the network, or name the "
        "model's folder on "
        "this machine by --artifact.\n"
    )
    assert tasks == []
    for words in (["--artifact", artifact], WAIVED):
        assert mlops("rollout", green, *words, "--out", tmp_path / "out")[0] == 0


def test_a_registered_manifest_that_is_damaged_is_told(
    endpoint: Still, green: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tasks: list[Task]
):
    """The error names the model, since the fetched file is gone."""
    (tmp_path / "manifest.json").write_text("{}")
    monkeypatch.setattr(targets, "models", lambda *_: Described(tmp_path))
    status, told = mlops("rollout", green)
    assert (status, tasks) == (1, [])
    assert told.startswith("Error: azureml:diabetes-classifier:2/manifest.json is damaged")


def test_a_registrys_label_is_refused(
    endpoint: Still, green: Path, artifact: Path, tasks: list[Task]
):
    """What is checked would not surely be what is deployed."""
    green.write_text(
        "name: green\nendpoint_name: diabetes\nmodel: azureml://registries/r/models/m/labels/latest\n"
    )
    for words in ((), ("--plan",)):
        status, told = mlops(
            "rollout", green, "--artifact", artifact, *words, env=NOWHERE if words else WORKSPACE
        )
        assert (status, "may mean another version" in told, tasks) == (1, True, [])


def test_what_was_waived_is_the_last_word(
    endpoint: Still, green: Path, tmp_path: Path, tasks: list[Task]
):
    """This holds for a plan and for a rollout that went well."""
    _, told = mlops("rollout", green, "--plan", *WAIVED)
    assert told.splitlines()[-1] == "not checked: golden-rows, predictions"
    assert "golden rows" not in told
    status, told = mlops("rollout", green, *WAIVED, "--out", tmp_path)
    assert (status, told.splitlines()[-1]) == (0, "promoted; not checked: golden-rows, predictions")
    assert tasks[0].plan.unchecked == ("golden-rows", "predictions")
    assert tasks[0].questions == Questions()
    status, told = mlops("rollout", green, "--without", "predictions", "--sample", green)
    assert (status, "--without predictions waives" in told) == (2, True)


def test_a_report_that_can_not_be_written_fails_no_rollout(
    endpoint: Still, green: Path, tmp_path: Path, tasks: list[Task], monkeypatch: pytest.MonkeyPatch
):
    """A pipeline would take back what was promoted."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mlops.rollout.report.write", full)
    status, told = mlops("rollout", green, *WAIVED, "--out", tmp_path)
    assert (status, len(tasks)) == (0, 1)
    assert "diabetes.html could not be written: " in told
    assert "No space left on device" in told
