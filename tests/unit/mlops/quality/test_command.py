"""``mlops quality`` as it is called."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import orjson
import pytest
from click.testing import CliRunner, Result

from mlops.cli import main
from mlops.exit_status import ExitStatus
from places import REPOSITORY


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 requests of two rows, with calibrated probabilities and what came true."""
    folder = tmp_path_factory.mktemp("quality")
    probability = np.random.default_rng(0).uniform(size=(400, 2))
    happened = np.random.default_rng(1).uniform(size=(400, 2)) < probability
    collected = [
        {"correlationid": f"r{n}", "data": [{"x": 1}] * 2, "predictions": [[1 - p, p] for p in row]}
        for n, row in enumerate(probability.tolist())
    ]
    (folder / "collected.jsonl").write_bytes(b"\n".join(map(orjson.dumps, collected)))
    truths = [f"r{n},{row},{happened[n, row] * 1}" for n in range(400) for row in range(2)]
    (folder / "truth.csv").write_text("\n".join(["request_id,row,truth", *truths]))
    return folder


def quality(folder: Path, *options: object, truth: str = "truth.csv") -> Result:
    words = ["quality", folder / "collected.jsonl", folder / truth, *options]
    return CliRunner().invoke(main, [str(word) for word in words])


def test_the_table_has_each_figure_with_its_interval(folder: Path):
    """It says how many rows and requests were judged, and what chance adds to the calibration
    error."""
    result = quality(folder)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == "classification, 800 rows in 400 independent blocks"
    names = ["accuracy", "precision(1)", "recall(1)", "precision(0)", "recall(0)", "log_loss"]
    assert [line.split()[0] for line in lines[2:]] == [*names, "brier_score", "calibration_error"]
    assert lines[-1].endswith("by chance alone)")


def test_the_page_shows_what_is_printed(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """The command of docs/monitoring.md prints the table that stands there."""
    page = (REPOSITORY / "docs" / "monitoring.md").read_text()
    (command,) = re.findall(r"^mlops (quality .*)$", page, re.MULTILINE)
    monkeypatch.chdir(folder)
    words = command.replace("collected/*.jsonl", "collected.jsonl").split()
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert f"```\n{result.stdout}```" in page


def test_json_has_the_same_figures(folder: Path):
    """Pipelines read the figures, the bins of the curve and the notes."""
    document = orjson.loads(quality(folder, "--json").output)
    assert (document["task"], document["rows"], document["judged"]) == ("classification", 800, True)
    accuracy = document["figures"]["accuracy"]
    assert accuracy["low"] < accuracy["value"] < accuracy["high"]
    assert sum(document["calibration"]["rows"]) == 800


def test_a_passed_limit_is_the_exit_status(folder: Path):
    """A pipeline stops at it, and goes on where it holds."""
    held = quality(folder, "--limit", "accuracy=0.7", "--limit", "calibration_error=0.1")
    assert held.exit_code == 0, held.output
    passed = quality(folder, "--limit", "accuracy=0.9", "--limit", "log_loss=0.1")
    assert passed.exit_code == ExitStatus.NO
    assert "accuracy is 0.7" in passed.output
    assert "log_loss is 0." in passed.output
    unknown = quality(folder, "--limit", "mae=1")
    assert "There is no figure mae; --limit takes one of accuracy, " in unknown.output


def test_too_little_is_not_judged(folder: Path):
    """Few rows, or rows of few requests or clients, have no figures; a limit then fails."""
    truths = (folder / "truth.csv").read_text().splitlines()
    (folder / "few.csv").write_text("\n".join(truths[:101]))
    result = quality(folder, truth="few.csv")
    assert result.exit_code == 0
    assert "Too little to judge by: give 200 rows or more, in 30 blocks or more" in result.output
    assert quality(folder, "--limit", "accuracy=0.5", truth="few.csv").exit_code == (
        ExitStatus.UNDECIDED
    )
    assert "800 rows in 1 independent blocks" in quality(folder, "--block", "x").output
    assert "Neither side has a column y" in quality(folder, "--block", "y").output


def test_the_curve_is_drawn(folder: Path):
    """As SVG that mlops may replace."""
    for _ in range(2):
        assert quality(folder, "--plot", folder / "curve.svg").exit_code == 0
    assert (folder / "curve.svg").read_text().startswith("<?xml")


def test_a_curve_needs_probabilities(folder: Path, tmp_path: Path):
    """Of classes alone nothing is said of how sure the model was."""
    (tmp_path / "p.csv").write_text("a\n" + "yes\nno\n" * 100)
    words = ["quality", tmp_path / "p.csv", tmp_path / "p.csv", "--plot", tmp_path / "curve.svg"]
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == ExitStatus.UNUSABLE
    assert "--plot needs probabilities" in result.output
