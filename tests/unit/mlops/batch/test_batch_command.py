"""``mlops batch``, with real processes."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import yaml
from click.testing import CliRunner

import support
from mlops.batch import run
from mlops.cli import main
from mlops.exit_status import ExitStatus
from places import REPOSITORY

HEADER = ",".join(support.NAMES)
LINE = ",".join(map(str, support.ROW))
ROWS = 40_000
"""Of each file; scoring one takes a while, so that a kill hits it."""


def scored(out: Path) -> dict[str, list[str]]:
    """The rows with a prediction, of each file."""
    result = {}
    for path in sorted(out.rglob("*.predictions.csv")):
        with path.open(newline="") as file:
            result[path.name] = [row["row"] for row in csv.DictReader(file)]
    return result


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def writing(out: Path) -> set[int]:
    """The processes that are writing a file."""
    return {int(path.name.split(".")[-2]) for path in out.rglob(".*.part")}


@pytest.mark.slow
def test_a_killed_job_goes_on_and_does_nothing_twice(tmp_path: Path, demo_model: Path):
    """Whether one of its processes is killed or all of it: in the end each row has its prediction,
    once."""
    files, out = tmp_path / "in", tmp_path / "out"
    files.mkdir()
    for place in range(4):
        (files / f"{place}.csv").write_text(f"{HEADER}\n" + f"{LINE}\n" * ROWS)
    command = [str(demo_model), str(files), "--out", str(out), "--processes", "1"]
    words = [sys.executable, "-m", "mlops", "batch", *command]
    job = subprocess.Popen(words, cwd=REPOSITORY, start_new_session=True)
    until(lambda: bool(writing(out)))
    (first,) = writing(out)
    os.kill(first, signal.SIGKILL)
    until(lambda: bool(writing(out) - {first}) and bool([*out.rglob("*.predictions.csv")]))
    job.kill()
    job.wait()
    before = {path.name: path.stat().st_mtime_ns for path in out.rglob("*.predictions.csv")}
    assert 0 < len(before) < 4

    done = CliRunner().invoke(main, ["batch", *command])
    assert done.exit_code == 0, done.output
    assert f"4 files, {4 * ROWS:,} rows, {4 * ROWS:,} predictions" in done.output
    rows = [str(row) for row in range(1, ROWS + 1)]
    assert scored(out) == {f"{place}.csv.predictions.csv": rows for place in range(4)}
    after = {path.name: path.stat().st_mtime_ns for path in out.rglob("*.predictions.csv")}
    assert {name: after[name] for name in before} == before
    assert not [*out.rglob(".*.part")]


@pytest.mark.slow
def test_bad_rows_are_counted_and_a_bad_file_fails_the_job(tmp_path: Path, demo_model: Path):
    """The report tells of both, and the exit status is 1: a bad row alone would leave it 0."""
    files, out = tmp_path / "in", tmp_path / "out"
    files.mkdir()
    (files / "good.csv").write_text("\n".join([HEADER, *[LINE] * 600, LINE.replace("59", "x")]))
    (files / "other.csv").write_text("c,d\n1,2\n")
    command = ["batch", str(demo_model), str(files), "--out", str(out), "--processes", "1"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == ExitStatus.NO, done.output
    report = orjson.loads((out / "report.json").read_bytes())
    assert (report["rows"], report["bad_rows"]) == (601, {"wrong_type": 1})
    assert "Columns are missing" in report["failed_files"]["other.csv"]
    assert "failed: other.csv: Columns are missing" in done.output
    assert [path.name for path in out.glob("*errors*")] == ["good.csv.errors.csv"]


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path, demo_model: Path):
    """So are outputs of a job below its inputs: they are no inputs."""
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "x.csv").write_text(f"{HEADER}\n{LINE}\n")
    command = ["batch", str(demo_model), str(tmp_path / "x.csv"), "--out", str(tmp_path)]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == ExitStatus.UNUSABLE
    assert "holds files that are not of a batch job" in done.output


DOCS = (REPOSITORY / "docs" / "batch.md").read_text()


@pytest.mark.parametrize("line", re.findall(r"^mlops batch .*$", DOCS, re.MULTILINE))
def test_the_commands_of_the_page_are_right(
    tmp_path: Path, demo_model: Path, monkeypatch: pytest.MonkeyPatch, line: str
):
    """They find the files and start a job."""
    (tmp_path / "artifact").symlink_to(demo_model)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.csv").write_text(f"{HEADER}\n{LINE}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run.Run, "__call__", lambda _: run.Outcome())
    done = CliRunner().invoke(main, line.split()[1:])
    assert done.exit_code == 0, done.output


def test_the_table_of_the_page_is_what_is_deployed():
    """Each setting has the value of batch-deployment.yml."""
    deployed = yaml.safe_load((REPOSITORY / "endpoints" / "batch-deployment.yml").read_text())
    values = {**deployed["settings"], "type: model": deployed["type"]}
    values |= {f"retry_settings.{name}": v for name, v in values["retry_settings"].items()}
    rows = re.findall(r"^\| `([a-z_.: ]+)` \|[^|]*\| `?(\w+)`? \|", DOCS, re.MULTILINE)
    assert len(rows) == 7
    assert [(name, str(values[name])) for name, _ in rows] == rows
