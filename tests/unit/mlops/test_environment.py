"""mlops environment adds a model's packages to the lock, and changes nothing else in it."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

import support
from azureml_scoring.models.files.manifest import Manifest
from mlops import environment
from mlops.exit_status import ExitStatus
from mlops.requirements import LOCK
from package_command import run
from places import REPOSITORY

CONDA = REPOSITORY / "environment" / "conda.yml"


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """One whose model needs a package beyond the lock."""
    digests = {"model.pkl": "0" * 64}
    needed = {"no-such-package": "1.2"}
    manifest = Manifest(
        "m", "1", "model.pkl", digests, {}, support.NUMBERS, [], {}, requirements=needed
    )
    folder = tmp_path / "artifact"
    folder.mkdir()
    manifest.write(folder)
    return folder


class Uv:
    """In place of uv: answers, and keeps what it was called with."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, status: int = 0, stderr: str = "") -> None:
        self.status, self.stderr = status, stderr
        self.words: list[str] = []
        self.added = self.override = ""
        monkeypatch.setattr(environment.subprocess, "run", self)

    def __call__(self, words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        self.words = words
        lock, added, _, resolved = map(Path, words[-4:])
        self.added = added.read_text()
        self.override = Path(words[words.index("--override") + 1]).read_text()
        if not self.status:
            resolved.write_text(
                lock.read_text() + "no-such-package==1.2 \\\n    --hash=sha256:00\n"
            )
        return subprocess.CompletedProcess(words, self.status, "", self.stderr)


def test_a_package_is_added_to_both_files(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """requirements.txt with hashes for our image, conda.yml for Azure ML's; the commands are
    said."""
    monkeypatch.chdir(tmp_path)
    uv, out = Uv(monkeypatch), Path("environment/churn")
    done = run("environment", artifact, "--out", out)
    assert done.exit_code == 0, done.output
    assert uv.added == "no-such-package==1.2\n"
    assert (out / "requirements.txt").read_text().endswith("1.2 \\\n    --hash=sha256:00\n")
    _, *conda = (out / "conda.yml").read_text().splitlines()
    assert conda == [*CONDA.read_text().splitlines()[1:], "      - no-such-package==1.2"]
    assert f"--build-arg REQUIREMENTS={out}/requirements.txt ." in done.output
    assert run("environment", artifact, "--out", out).exit_code == 0  # replaces its own


def test_another_scikit_learn_takes_the_place_of_the_locks(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The one that the model was packaged with; a compiled form without its pickle needs none."""
    document = json.loads((artifact / "manifest.json").read_text())
    document["versions"] = {"scikit-learn": "1.6.1"}
    (artifact / "manifest.json").write_text(json.dumps(document))
    uv = Uv(monkeypatch)
    run("environment", artifact, "--out", tmp_path / "out")
    assert uv.override == "scikit-learn==1.6.1\n"
    document["origin"] = {"file": "m.pkl", "sha256": "0" * 64, "packages": {}}
    (artifact / "manifest.json").write_text(json.dumps(document))
    run("environment", artifact, "--out", tmp_path / "out")
    assert uv.override == ""


def test_no_command_is_said_that_cannot_work(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Our image's build sees no folder outside environment/."""
    Uv(monkeypatch)
    done = run("environment", artifact, "--out", tmp_path / "out")
    assert "name a folder in environment/ by --out" in done.output
    assert "docker build" not in done.output


def test_the_lock_is_resolved_as_make_lock_does(artifact: Path, monkeypatch: pytest.MonkeyPatch):
    """The options are the same, but for those of comments."""
    made = re.search(r"^COMPILE := (.*?)\n\n", (REPOSITORY / "Makefile").read_text(), re.M | re.S)
    assert made is not None
    words = {*made[1].replace("\\\n", " ").split()} - {"$(BIN)/python", '"make', 'lock"'}
    assert words - {"--custom-compile-command"} == {"-m", *environment.COMPILE} - {"--no-header"}


@pytest.mark.parametrize(
    ("stderr", "sentence"),
    [
        (
            "error: Failed to fetch: https://pypi.org/simple/a/\n  cause: error sending request",
            "The index of packages can't be reached, so nothing was written; run this where",
        ),
        (
            "error: No solution found when resolving dependencies\n"
            "  cause: Because you require a==1 and a==2, they are unsatisfiable.",
            "do not fit the lock (Because you require a==1 and a==2, they are unsatisfiable); "
            "train the model with versions that do",
        ),
    ],
)
def test_what_can_not_be_resolved_is_said_and_nothing_written(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stderr: str, sentence: str
):
    """Without an index, and where versions exclude each other."""
    Uv(monkeypatch, 1, stderr)
    done = run("environment", artifact, "--out", tmp_path / "out")
    assert (done.exit_code, sentence in done.output) == (ExitStatus.UNUSABLE, True), done.output
    assert not (tmp_path / "out").exists()


def test_a_model_without_packages_of_its_own_gets_the_lock(artifact: Path, tmp_path: Path):
    """No index is asked."""
    document = json.loads((artifact / "manifest.json").read_text())
    (artifact / "manifest.json").write_text(json.dumps(document | {"requirements": {}}))
    done = run("environment", artifact, "--out", tmp_path / "out")
    assert "The model needs no packages beyond the lock" in done.output
    assert (tmp_path / "out" / "requirements.txt").read_text().endswith(LOCK.read_text())
    conda_file = Path("endpoints", done.output.split()[-1])
    assert conda_file.resolve() == (tmp_path / "out" / "conda.yml").resolve()


def test_the_image_is_built_from_the_file_that_is_named():
    """It is the build argument that the command prints; by default, the lock."""
    dockerfile = (REPOSITORY / "environment" / "Dockerfile").read_text()
    assert "ARG REQUIREMENTS=environment/requirements.txt\n" in dockerfile
    assert "COPY ${REQUIREMENTS} requirements.txt\n" in dockerfile
    assert "!environment/*/requirements.txt" in (REPOSITORY / ".dockerignore").read_text()
