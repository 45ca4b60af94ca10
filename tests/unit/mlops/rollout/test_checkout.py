"""The origin of a deployment's file, and how it is found again."""

import subprocess
from pathlib import Path

import pytest

from mlops.rollout.checkout import located, origin


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "endpoints").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "endpoints" / "blue.yml").write_text("name: blue\n")
    for words in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=us", "-c", "user.email=us@x", "commit", "-qm", "one"],
    ):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    return tmp_path


def test_a_file_is_found_again_wherever_one_stands_in_the_repository(
    repository: Path, monkeypatch: pytest.MonkeyPatch
):
    """Its path is that from the repository's root."""
    monkeypatch.chdir(repository / "docs")
    path, commit = origin(Path("../endpoints/blue.yml"))
    assert (path, len(commit)) == ("endpoints/blue.yml", 40)
    found = located(path)
    assert found
    assert found.samefile(repository / "endpoints" / "blue.yml")
    assert located("endpoints/red.yml") is None


def test_uncommitted_changes_are_told(repository: Path):
    """Those of tracked files: what a pipeline downloads beside them is none."""
    file = repository / "endpoints" / "blue.yml"
    (repository / "artifact").write_text("model")
    assert not origin(file)[1].endswith("+changes")
    file.write_text("name: changed\n")
    assert origin(file)[1].endswith("+changes")


def test_without_git_the_file_is_known_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It has no commit."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "blue.yml").write_text("name: blue\n")
    assert origin(Path("blue.yml")) == ("blue.yml", "")
    assert located("blue.yml") == Path("blue.yml")
