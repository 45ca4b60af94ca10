"""Which Python reads an old model is said with its reason, and never guessed silently."""

import sys
from pathlib import Path

import pytest

from azureml_scoring.errors import StartupError
from mlops.isolated import pythons
from mlops.isolated.saved_with import SavedWith

RUNNING = f"3.{sys.version_info[1]}"


def saved(version: str, python: str | None = None) -> SavedWith:
    return SavedWith({"scikit-learn": f"=={version}"}, python, "requirements.txt")


def chosen(monkeypatch: pytest.MonkeyPatch, model: SavedWith, *here: str) -> tuple[str, str]:
    monkeypatch.setattr(pythons, "find", lambda version: Path(version) if version in here else None)
    lines = list[str]()
    version, _ = pythons.choose(model, lines.append)
    return version, lines[0]


def test_the_newest_with_wheels_is_taken(monkeypatch: pytest.MonkeyPatch):
    """And said to be a choice of ours."""
    version, line = chosen(monkeypatch, saved("1.1.3"), "3.9", "3.11", "3.13")
    assert version == "3.11"
    assert line == (
        "Python 3.11 (3.11): nothing says which one saved the model, and it is the newest here of "
        "those for which scikit-learn 1.1.3 has wheels (3.8 to 3.11)"
    )


def test_one_that_is_named_is_taken(monkeypatch: pytest.MonkeyPatch):
    """Though a newer one is here."""
    version, line = chosen(monkeypatch, saved("1.1.3", "3.9"), "3.9", "3.11")
    assert (version, line) == ("3.9", "Python 3.9 (3.9): requirements.txt names 3.9")


def test_another_is_taken_in_its_place_and_that_is_said(monkeypatch: pytest.MonkeyPatch):
    """A pickle of estimators does not depend on it."""
    version, line = chosen(monkeypatch, saved("1.1.3", "3.9"), "3.10")
    assert version == "3.10"
    assert line.endswith("requirements.txt names 3.9, which is not here")


def test_without_any_the_sentence_names_what_was_looked_for(monkeypatch: pytest.MonkeyPatch):
    """And a command that brings one."""
    with pytest.raises(StartupError, match=r"looked for 3\.8, as python3\.X .*uv python install"):
        chosen(monkeypatch, saved("0.22.1"), "3.12")


@pytest.mark.parametrize(
    ("version", "newest"),
    [("0.20", "3.8"), ("1.1.2", "3.10"), ("1.3.2", "3.12"), ("1.6.1", "3.13"), ("9.9", "3.14")],
)
def test_wheels_follow_from_scikit_learns_version(
    version: str, newest: str, monkeypatch: pytest.MonkeyPatch
):
    """Old releases have none for a new Python."""
    every = [f"3.{minor}" for minor in range(8, 15)]
    assert chosen(monkeypatch, saved(version), *every)[0] == newest


def test_the_running_python_is_found():
    """And no other under its name."""
    path = pythons.find(RUNNING)
    assert path
    assert path.exists()
    assert pythons.find("3.99") is None
