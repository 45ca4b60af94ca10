"""The names of scoring.toml are written into the files that repeat them, and checked there."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deploy.checkout import REPOSITORY
from mlops import demo
from mlops.cli import main
from mlops.project import names, places, project_file
from mlops.project.project_file import Names
from own_project import REPEATED


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_the_names_are_written_everywhere(repository: Path):
    """They go into all of endpoints/ and into Terraform's variable, and nothing else changes."""
    before = {path: path.read_text() for path in map(Path, repeated(repository))}
    old = project_file.read(REPOSITORY / "scoring.toml").names
    assert run("names").exit_code == 0
    new = Names("churn", "churn-live", "churn-aks", "churn-batch")
    assert [place for place in places.places(repository, new) if place.found != place.wanted] == []
    assert len(list(places.places(repository, new))) == 17
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
        repository, Names("before", "before-live", "before-aks", "before-batch")
    )  # whatever names this repository has
    wrong = [
        str(problem)
        for problem in names.check(
            repository, Names("churn", "churn-live", "churn-aks", "churn-batch")
        )
    ]
    assert len(wrong) == 17
    assert all(
        re.search(r":\d+: [\w.]+ names [\w-]+, but names\.\w+ in scoring\.toml is churn", line)
        for line in wrong
    )
    assert all("; run `make names`, or write churn" in line for line in wrong)
    assert run("names").exit_code == 0
    assert names.check(repository, Names("churn", "churn-live", "churn-aks", "churn-batch")) == []


def test_check_finds_an_artifact_of_another_model(repository: Path):
    """The demo's artifact under the user's own name, for example, is reported."""
    assert run("names").exit_code == 0
    assert run("artifact").exit_code == 0
    found = [
        str(one)
        for one in names.check(Path(), Names("other", "churn-live", "churn-aks", "churn-batch"))
    ]
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


def test_the_repository_itself_agrees_with_its_project_file():
    """That holds for any names."""
    assert (
        names.wrong_places(REPOSITORY, project_file.read(REPOSITORY / "scoring.toml").names) == []
    )
