"""`mlops artifact` and `mlops names`: scoring.toml holds your names, and the others follow it."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from azureml_scoring.models.files.manifest import Manifest
from deploy.checkout import REPOSITORY
from mlops.cli import main
from mlops.exit_status import ExitStatus
from mlops.project import project_file
from own_project import MODEL, NAMES


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def said(result: Result) -> str:
    """Return the error's sentence."""
    assert (result.exit_code, result.stdout) == (ExitStatus.UNUSABLE, "")
    (line,) = result.stderr.splitlines()
    return line.removeprefix("Error: ")


def test_the_model_of_the_project_is_packaged_under_its_name(here: Path):
    """Packaging uses the file's options and the version of the command line."""
    assert run("artifact", "--version", "7").exit_code == 0
    made = Manifest.read(here / "artifact")
    assert (made.model_name, made.model_version, made.model_file) == ("churn", "7", "mine.joblib")
    assert made.contract.names == ("income", "city", "member", "visits")


def test_a_model_under_the_name_of_the_demo_is_noted(here: Path):
    """Otherwise a user who filled in only the model would register it as diabetes-classifier."""
    assert "still the demo's" not in run("artifact").stderr
    (here / "scoring.toml").write_text(
        MODEL + NAMES.replace('model = "churn"', 'model = "diabetes-classifier"')
    )
    result = run("artifact", "--force")
    assert result.exit_code == 0
    assert result.stderr.startswith("note: names.model in scoring.toml is still the demo's")


def test_another_model_and_sample_can_be_named(here: Path):
    """MODEL and SAMPLE of `make artifact` override the file; its other options still hold."""
    (here / "mine.joblib").rename("new.joblib")
    (here / "train.csv").rename("new.csv")
    assert run("artifact", "--model", "new.joblib", "--sample", "new.csv").exit_code == 0
    assert Manifest.read(here / "artifact").model_file == "new.joblib"


@pytest.mark.parametrize("model", ["", "[model]\n", '[model]\nfile = "mine.joblib"\n'])
def test_without_a_model_nothing_is_packaged(here: Path, model: str):
    """The error says what to write and where, and how to get the demo instead."""
    (here / "scoring.toml").write_text(model + NAMES)
    missing = "sample" if "file" in model else "file and sample"
    assert said(run("artifact")) == (
        f"scoring.toml names no model of yours (below [model] it lacks {missing}): write there "
        'file = "models/model.joblib" and sample = "models/train.csv", or run make artifact '
        "MODEL=FILE SAMPLE=FILE; "
        "`make demo` packages the demo."
    )
    assert not (here / "artifact").exists()


def test_a_missing_model_is_reported_with_its_key(here: Path):
    """The error fits a pipeline that has not fetched the model."""
    (here / "train.csv").unlink()
    assert "scoring.toml: model.sample is train.csv, which is not here; correct it, or" in said(
        run("artifact")
    )


def test_packaged_again_its_own_artifact_is_replaced(here: Path):
    """Users need not remove the artifact between two tries."""
    assert [run("artifact", "--version", version).exit_code for version in ("1", "2")] == [0, 0]
    assert Manifest.read(here / "artifact").model_version == "2"


@pytest.mark.parametrize("name", ["other", "churn"])
def test_what_was_packaged_by_hand_is_not_replaced(here: Path, name: str):
    """That holds for any name and for a folder that this command wrote before, without --force."""
    assert run("artifact").exit_code == 0
    options = (
        "--sample",
        "train.csv",
        "--drop",
        "late",
        "--drop",
        "target",
        "--out",
        "artifact",
        "--name",
        name,
    )
    assert run("package", "mine.joblib", *options, "--force").exit_code == 0
    before = (here / "artifact" / "manifest.json").read_bytes()
    assert "artifact was not written by this command, so it is not replaced; move it away" in said(
        run("artifact")
    )
    assert (here / "artifact" / "manifest.json").read_bytes() == before
    assert run("artifact", "--version", "9", "--force").exit_code == 0
    assert Manifest.read(here / "artifact").model_version == "9"


def test_nothing_but_an_artifact_is_ever_replaced(here: Path):
    """Even --force replaces nothing else."""
    (here / "artifact").mkdir()
    (here / "artifact" / "thesis.txt").write_text("x")
    for words in (("artifact",), ("artifact", "--force")):
        assert (
            said(run(*words))
            == "artifact holds more than an artifact, so it is not replaced; name another folder."
        )
    assert (here / "artifact" / "thesis.txt").read_text() == "x"
    (here / "artifact" / "thesis.txt").rename("thesis.txt")
    (here / "artifact" / "manifest.json").write_text("mine")
    for words in (("artifact",), ("artifact", "--force")):
        assert said(run(*words)) == (
            "artifact has a manifest that can't be read, so it is not replaced; move it away, or "
            "name another folder."
        )


MISTAKES = {
    "model = 5": "scoring.toml: model is outside of a table; put it below [model] or [names].",
    "[modle]": "unknown keys: modle; remove or correct them, there are only model, names.",
    '[model]\ndorp = ["a"]\nx = 1': "unknown keys: model.dorp, model.x; remove or correct them",
    '[model]\nversion = "1"': "scoring.toml has unknown keys: model.version; remove",
    "[model]\nfile = 5": 'scoring.toml: model.file must be text; write file = "...".',
    '[model]\nfile = ""': "scoring.toml: model.file must be text",
    '[model]\ndrop = "target"': 'model.drop must be a list of texts; write drop = ["COLUMN"].',
    "[model]\ndrop = [1]": "scoring.toml: model.drop must be a list of texts",
    '[model]\nnot_cacheable = "yes"': "must be true or false; write not_cacheable = true.",
    "[model]\ndtype = {city = 'str'}": 'a list of texts; write dtype = ["COLUMN=DTYPE"].',
    "[model": "scoring.toml is not valid TOML (",
    "\ud800": "scoring.toml is not valid TOML (",
    '[names]\nmodel = "m"': 'no text for names.endpoint; write endpoint = "..." below [names].',
    NAMES.replace('"churn"', "5"): "scoring.toml has no text for names.model;",
    NAMES.replace(
        '"churn"', '"my churn"'
    ): "names.model must be letters, digits, dots, dashes and underscores",
    NAMES.replace(
        "churn-live", "a"
    ): "names.endpoint must be 3 to 32 letters, digits and single dashes",
    NAMES.replace(
        "churn-live", "yes"
    ): "YAML does not read names.endpoint as text; choose another name.",
    NAMES.replace(
        '"churn"', '"1.5"'
    ): "YAML does not read names.model as text; choose another name.",
    NAMES.replace(
        "churn-aks", "churn-live"
    ): "names.endpoint and names.kubernetes_endpoint are the same; give each",
    NAMES + "deployment = 'x'": "scoring.toml has unknown keys: names.deployment; remove",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_in_the_project_file_is_one_sentence(here: Path, text: str):
    """Every command that reads the file names the key and says what to write."""
    given = text if text.startswith("[names]") else f"{text}\n{NAMES}"
    (here / "scoring.toml").write_bytes(given.encode(errors="surrogatepass"))
    for command in ("artifact", "names"):
        assert MISTAKES[text] in said(run(command))


def test_without_a_project_file_the_commands_say_so(here: Path):
    """The error says that the commands run in the folder of the project file."""
    (here / "scoring.toml").unlink()
    assert (
        said(run("names")) == "There is no scoring.toml here; run this in the folder that holds it."
    )


def test_each_option_that_says_how_to_package_is_a_key(here: Path):
    """A flag is true or false, an option that may be given again is a list."""
    (here / "scoring.toml").write_text(
        MODEL + 'not_cacheable = true\ndtype = ["visits=float64"]\n' + NAMES
    )
    assert run("artifact").exit_code == 0
    made = Manifest.read(here / "artifact")
    assert not made.cacheable
    assert {feature.name: feature.dtype for feature in made.contract.features}[
        "visits"
    ] == "float64"


def test_the_page_shows_a_project_file_that_is_taken(here: Path):
    """The project file in docs/deploy.md can be pasted."""
    (shown,) = re.findall(
        r"```toml\n(.*?)```", (REPOSITORY / "docs" / "deploy.md").read_text(), re.DOTALL
    )
    (here / "scoring.toml").write_text(shown)
    assert project_file.read().options.keys() == {"file", "sample", "drop"}
