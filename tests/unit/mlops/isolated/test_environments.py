"""The environment of an old model is made once, whole, and kept for the next time."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from azureml_scoring.errors import StartupError
from mlops.isolated import environments, pythons
from mlops.isolated.saved_with import SavedWith

SAVED = SavedWith({"scikit-learn": "==1.1.3", "numpy": "<2"}, None, "model.pkl")


class Commands:
    """In place of starting commands: keeps them, and fails with ``stderr`` if that is set."""

    def __init__(self) -> None:
        self.words: list[list[str]] = []
        self.stderr = ""

    def __call__(self, words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        self.words.append(list(words))
        if "venv" in words:
            Path(words[-1]).mkdir(parents=True)
        status = 1 if self.stderr and "install" in words else 0
        return subprocess.CompletedProcess(words, status, "", self.stderr)


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Commands:
    commands = Commands()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(environments.subprocess, "run", commands)
    monkeypatch.setattr(pythons, "choose", lambda saved, say: ("3.11", Path(sys.executable)))
    return commands


def made(saved: SavedWith = SAVED) -> tuple[Path, list[str]]:
    lines = list[str]()
    return environments.environment(saved, lines.append), lines


def test_it_is_made_once(commands: Commands, tmp_path: Path):
    """In the user's cache; the second time it is there already."""
    python, lines = made()
    assert python.is_relative_to(tmp_path / "azureml-scoring" / "environments")
    assert lines[0].startswith("Making its environment, once (a minute or two): numpy<2, scikit-")
    count = len(commands.words)
    again, lines = made()
    assert again == python
    assert len(commands.words) == count
    assert lines == [f"Its environment is there already: {python.parents[1]}"]


@pytest.mark.parametrize("uv", [["uv"], []], ids=["uv", "pip"])
def test_only_wheels_are_installed(
    uv: list[str], commands: Commands, monkeypatch: pytest.MonkeyPatch
):
    """By uv, or by pip where there is no uv."""
    monkeypatch.setattr(pythons, "uv", lambda: uv)
    made()
    install = commands.words[-1]
    assert install[:1] == uv if uv else install[1:3] == ["-m", "pip"]
    assert install[-4:] == ["--only-binary", ":all:", "numpy<2", "scikit-learn==1.1.3"]


def test_other_versions_have_another_environment(commands: Commands):
    """Two models do not share one by chance."""
    other = SavedWith({"scikit-learn": "==1.2.2"}, None, "model.pkl")
    assert made()[0] != made(other)[0]


def test_half_an_environment_is_made_anew(commands: Commands):
    """An interrupted installation is not used."""
    commands.stderr = "error: no space left"
    with pytest.raises(StartupError, match=r"can't be made \(error: no space left\); name versi"):
        made()
    commands.stderr = ""
    _, lines = made()
    assert lines[0].startswith("Making its environment")


@pytest.mark.parametrize(
    "stderr",
    [
        "error: Failed to fetch: `https://index/simple/numpy/`",
        "WARNING: Retrying ... NewConnectionError",
        "ERROR: Could not find a version that satisfies numpy (from versions: none)",
    ],
)
def test_without_an_index_one_sentence_says_so(stderr: str, commands: Commands):
    """Of uv's and pip's messages."""
    commands.stderr = stderr
    with pytest.raises(StartupError, match=r"^The index of packages can't be reached, so the"):
        made()
