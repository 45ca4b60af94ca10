"""What a rollout is checked by, and where its manifest comes from."""

from pathlib import Path

import pytest

from deploy.checkout import NAMES
from mlops.endpoint import EndpointError
from mlops.exit_status import ExitStatus
from mlops.rollout import targets
from mlops.rollout.guard import Task
from mlops.rollout.questions import Questions
from places import REPOSITORY
from still_endpoint import WORKSPACE, Described, Still, mlops

WAIVED = ("--without", "golden-rows", "--without", "predictions")
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
        assert status == ExitStatus.SERVER
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
    assert status == ExitStatus.SERVER
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
    assert status == ExitStatus.SERVER
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
    assert (status, tasks) == (ExitStatus.UNUSABLE, [])
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
        assert (status, "may mean another version" in told, tasks) == (ExitStatus.SERVER, True, [])


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
