"""``mlops show``."""

from __future__ import annotations

import shutil
from pathlib import Path

import orjson
from click.testing import CliRunner, Result

from mlops.cli import main
from mlops.exit_status import ExitStatus


def show(*words: object) -> Result:
    return CliRunner().invoke(main, ["show", *map(str, words)])


def test_json_has_what_packaging_recorded(demo_model: Path):
    """The form is versioned, and stable for scripts."""
    shown = orjson.loads(show(demo_model, "--json").stdout)
    assert (shown["schema"], shown["name"]) == (1, "diabetes-classifier")
    assert shown["contract"]["features"][0]["name"] == "age"
    assert (shown["golden_rows"], shown["signed"]) == (10, False)
    assert shown["files"]["manifest.json"] == (demo_model / "manifest.json").stat().st_size
    assert "scikit-learn" in shown["libraries"]
    assert {*shown["race"]} == {"rows", "microseconds", "small", "large", "large_from"}


def test_people_see_the_same(demo_model: Path):
    """The features, who computes the answers, how fast, the size and the signature."""
    lines = show(demo_model).stdout.splitlines()
    assert lines[0].startswith("model      diabetes-classifier ")
    for begin in ("takes      10 features", "           age: float64", "answers    predict, "):
        assert any(line.startswith(begin) for line in lines), lines
    assert any(" ms for 1" in line for line in lines)
    assert lines[-1] == "signed     no"


def test_a_changed_file_is_told(demo_model: Path, tmp_path: Path):
    """What is shown is what was packaged, or an error."""
    copy = shutil.copytree(demo_model, tmp_path / "copy")
    next(copy.glob("model.*")).write_bytes(b"x")
    result = show(copy)
    assert (result.exit_code, result.stdout) == (ExitStatus.UNUSABLE, "")
