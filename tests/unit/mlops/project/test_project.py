"""`mlops artifact` and `mlops names`: scoring.toml holds your names, and the others follow it."""

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import support
from azureml_scoring.models.files.manifest import Manifest
from deploy.checkout import REPOSITORY
from mlops import demo
from mlops.cli import main
from mlops.project import names, places, project_file, sample_requests
from mlops.project.project_file import Names

NAMES = '[names]\nmodel = "churn"\nendpoint = "churn-live"\nkubernetes_endpoint = "churn-aks"\n'
MODEL = (
    '[model]\nfile = "mine.joblib"\nsample = "train.csv"\n'
    'drop = ["late", "target"]\ntext = ["city"]\n'
)
REPEATED = ("endpoints", "infrastructure", "kubernetes")


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def said(result: Result) -> str:
    """Return the error's sentence."""
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    return line.removeprefix("Error: ")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, its sample and a project file that names them."""
    monkeypatch.chdir(tmp_path)
    estimator, frame = support.mixed()
    support.dump(estimator, tmp_path, "mine.joblib")
    frame.assign(late=1, target=0).to_csv("train.csv", index=False)
    (tmp_path / "scoring.toml").write_text(MODEL + NAMES)
    return tmp_path


@pytest.fixture
def repository(here: Path) -> Path:
    """The same folder, with the files of this repository that repeat names."""
    for folder in REPEATED:
        shutil.copytree(
            REPOSITORY / folder, here / folder, ignore=shutil.ignore_patterns(".terraform*")
        )
    return here


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


def test_the_names_are_written_everywhere(repository: Path):
    """They go into all of endpoints/ and into Terraform's variable, and nothing else changes."""
    before = {path: path.read_text() for path in map(Path, repeated(repository))}
    old = project_file.read(REPOSITORY / "scoring.toml").names
    assert run("names").exit_code == 0
    new = Names("churn", "churn-live", "churn-aks")
    assert [place for place in places.places(repository, new) if place.found != place.wanted] == []
    assert len(list(places.places(repository, new))) == 13
    for path, text in before.items():
        changed = zip(text.splitlines(), path.read_text().splitlines(), strict=True)
        for was, now in changed:
            assert now == was or (
                any(name in was for name in vars(old).values()) and "churn" in now
            )
    assert run("names").stdout == "0 changed.\n"


def repeated(root: Path) -> list[str]:
    return [
        str(path) for folder in REPEATED for path in (root / folder).rglob("*") if path.is_file()
    ]


def test_no_file_repeats_a_name_that_is_not_written(repository: Path):
    """A file of the demo's name outside of tests is a place that `mlops names` must know."""
    assert run("names").exit_code == 0
    files = [path for path in repeated(repository) if "/tests/" not in path]
    assert [path for path in files if demo.NAME in Path(path).read_text(errors="replace")] == []


def test_a_file_keeps_its_comments_quotes_versions_and_line_ends(here: Path):
    """Only the name is written."""
    (here / "endpoints").mkdir()
    file = here / "endpoints" / "blue-deployment.yml"
    file.write_bytes(
        b'# mine\r\nendpoint_name: "old" # unique\r\nmodel: azureml:old:3\r\nname: blue\r\n'
    )
    assert run("names").exit_code == 0
    assert file.read_bytes() == (
        b'# mine\r\nendpoint_name: "churn-live" # unique\r\nmodel: azureml:churn:3\r\nname: '
        b"blue\r\n"
    )


def test_a_default_of_terraform_is_that_of_its_variable(here: Path):
    """A variable without a default does not get the next one's; line ends are kept."""
    (here / "infrastructure").mkdir()
    file, other = (
        here / "infrastructure" / "variables.tf",
        b'variable "b" {\r\n  default = "x"\r\n}\r\n',
    )
    for default in (b"", b"  default = null\r\n"):
        text = b'variable "endpoint_name" {\r\n' + default + b"}\r\n" + other
        file.write_bytes(text)
        assert run("names").stdout == "0 changed.\n"
        assert file.read_bytes() == text
    file.write_bytes(b'variable "endpoint_name" {\r\n  default = "old"\r\n}\r\n' + other)
    assert run("names").stdout.endswith("1 changed.\n")
    assert (
        file.read_bytes()
        == b'variable "endpoint_name" {\r\n  default = "churn-live"\r\n}\r\n' + other
    )


@pytest.mark.parametrize(
    "model",
    [
        ">-\n  azureml:m:1",
        "file:model.yml",
        "{path: ../artifact}",
        "azureml://registries/r/models/m/versions/1",
    ],
)
def test_a_model_that_is_named_otherwise_is_left(here: Path, model: str):
    """Only a reference to the registered model holds its name."""
    (here / "endpoints").mkdir()
    text = f"name: blue\nmodel: {model}\n"
    (here / "endpoints" / "blue-deployment.yml").write_text(text)
    assert run("names").exit_code == 0
    assert (here / "endpoints" / "blue-deployment.yml").read_text() == text


def test_check_finds_each_place_that_disagrees(repository: Path):
    """Each problem has file, line, key and remedy; there is none once the names are written."""
    names.write(
        repository, Names("before", "before-live", "before-aks")
    )  # whatever names this repository has
    wrong = [
        str(problem)
        for problem in names.check(repository, Names("churn", "churn-live", "churn-aks"))
    ]
    assert len(wrong) == 13
    assert all(
        re.search(r":\d+: [\w.]+ names [\w-]+, but names\.\w+ in scoring\.toml is churn", line)
        for line in wrong
    )
    assert all("; run `make names`, or write churn" in line for line in wrong)
    assert run("names").exit_code == 0
    assert names.check(repository, Names("churn", "churn-live", "churn-aks")) == []


def test_check_finds_an_artifact_of_another_model(repository: Path):
    """The demo's artifact under the user's own name, for example, is reported."""
    assert run("names").exit_code == 0
    assert run("artifact").exit_code == 0
    found = [str(one) for one in names.check(Path(), Names("other", "churn-live", "churn-aks"))]
    assert any(
        line.startswith(
            "artifact/manifest.json:1: model_name is churn, but names.model in scoring.toml is "
            "other; run"
        )
        for line in found
    )


@pytest.mark.parametrize("variable", ["MODEL_NAME", "MODEL_VERSION"])
def test_check_finds_a_variable_that_overrides_the_manifest(repository: Path, variable: str):
    """On AKS a model answers with the name and version that it was packaged with."""
    assert run("names").exit_code == 0
    file = repository / "kubernetes" / "base" / "deployment.yaml"
    text = file.read_text()
    assert not {"MODEL_NAME", "MODEL_VERSION"} & set(re.findall(r"\w+", text))
    file.write_text(
        text.replace(
            "          env:\n",
            f"          env:\n            - name: {variable}\n              value: x\n",
        )
    )
    (told,) = names.check(repository, project_file.read().names)
    assert (told.path, told.line) == (file, text.splitlines().index("          env:") + 2)
    assert f"is {variable}, which overrides the model's manifest; remove the variable" in str(told)


def test_sample_requests_are_made_of_the_model(repository: Path):
    """Requests that the model refuses are replaced; `mlops check` reports them before."""
    assert run("names").exit_code == 0
    assert run("artifact").exit_code == 0
    told = [str(problem) for problem in names.check(Path(), project_file.read().names)]
    assert len(told) == 2
    assert all(
        "is not a request that the model in artifact takes" in line and "run `make names`" in line
        for line in told
    )
    assert run("names").stdout.endswith("2 changed.\n")
    assert names.check(Path(), project_file.read().names) == []
    written = (repository / sample_requests.NAMED).read_bytes()
    assert json.loads(written)["input_data"]["columns"] == ["income", "city", "member", "visits"]
    (repository / sample_requests.PLAIN).write_text(
        '{"data": [[5, "Oslo", true, 2]], "method": "predict_proba"}'
    )
    assert run("names").stdout == "0 changed.\n"  # one's own, which works


@pytest.mark.parametrize("kind", ["mixed", "codes", "texts", "categories", "plain_regression"])
def test_the_model_takes_its_sample_requests(kind: str, tmp_path: Path):
    """That holds for all kinds of columns, with names or without."""
    estimator, frame = getattr(support, kind)()
    packaged = Manifest.read(support.packaged(estimator, frame, tmp_path))
    for path, text in sample_requests.texts(packaged).items():
        (tmp_path / path.name).write_text(text)
        assert sample_requests.refused(tmp_path / path.name, packaged) is None


def test_the_page_shows_a_project_file_that_is_taken(here: Path):
    """The project file in docs/deploy.md can be pasted."""
    (shown,) = re.findall(
        r"```toml\n(.*?)```", (REPOSITORY / "docs" / "deploy.md").read_text(), re.DOTALL
    )
    (here / "scoring.toml").write_text(shown)
    assert project_file.read().options.keys() == {"file", "sample", "drop"}


def test_the_repository_itself_agrees_with_its_project_file():
    """That holds for any names."""
    assert (
        names.wrong_places(REPOSITORY, project_file.read(REPOSITORY / "scoring.toml").names) == []
    )
