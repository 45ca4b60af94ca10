"""A CSV to package a model with and another to score: texts that look like numbers or missing
values stay texts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import joblib
import pandas as pd
import pytest
from sklearn.preprocessing import FunctionTransformer

import support
from blackbox.server import BARE, Server, serving
from mlops.exit_status import ExitStatus
from template import run

pytestmark = pytest.mark.any_worker

MLOPS = Path(sys.executable).with_name("mlops")
ESTIMATOR, FRAME = support.codes()


def mlops(*words: object) -> subprocess.CompletedProcess[str]:
    return run(MLOPS, *words)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packaged model and the CSV."""
    folder = tmp_path_factory.mktemp("tables")
    FRAME.to_csv(folder / "rows.csv", index=False)
    file = support.dump(ESTIMATOR, folder)
    done = mlops("package", file, "--sample", folder / "rows.csv", "--out", folder / "artifact")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving(folder / "artifact", folder, **BARE) as server:
        yield server


@pytest.fixture(scope="module")
def expected() -> list[bool]:
    answers: list[bool] = ESTIMATOR.predict(FRAME).tolist()
    assert len({*answers}) == 2
    return answers


@pytest.mark.parametrize("told", [["--model-dir", "artifact"], ["--text", "grade"]])
def test_each_row_of_a_csv_is_answered_as_by_the_estimator(
    server: Server, folder: Path, expected: list[bool], told: list[str]
):
    """NA, None, yes, digits and leading zeros arrive as they stand in the file."""
    told = [str(folder / word) if word == "artifact" else word for word in told]
    done = mlops("score", "--url", server.url, folder / "rows.csv", *told)
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line) for line in done.stdout.splitlines()] == expected


def test_the_contract_reads_what_cells_alone_do_not_tell(
    server: Server, folder: Path, expected: list[bool]
):
    """Postcodes without a leading zero are refused as numbers, with advice; under the contract they
    are texts."""
    rows = FRAME[FRAME["postcode"] != "01067"]
    rows.to_csv(folder / "west.csv", index=False)
    asked = ("score", "--url", server.url, folder / "west.csv")
    done = mlops(*asked)
    assert done.returncode == ExitStatus.UNUSABLE
    assert "Feature postcode must be text" in done.stderr
    assert (
        "name the model's folder with --model-dir, or the column's type with --text" in done.stderr
    )
    done = mlops(*asked, "--model-dir", folder / "artifact")
    assert [json.loads(line) for line in done.stdout.splitlines()] == ESTIMATOR.predict(
        rows
    ).tolist()


def test_a_model_that_is_not_packaged_protects_its_texts(
    folder: Path, tmp_path: Path, expected: list[bool]
):
    """The server refuses digits, as the model's encoders hold texts; with the model a CSV is read
    by the encoders too."""
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "model.joblib").write_bytes((folder / "model.joblib").read_bytes())
    with serving(raw, tmp_path, **BARE) as server:
        asked = ("score", "--url", server.url, folder / "rows.csv")
        refused = mlops(*asked)
        assert (refused.returncode, refused.stdout) == (ExitStatus.UNUSABLE, "")
        assert "Feature grade must be text" in refused.stderr
        done = mlops(*asked, "--model-dir", raw)
        assert [json.loads(line) for line in done.stdout.splitlines()] == expected
        assert done.stderr.startswith("note: by their cells, income are read as numbers")


def test_a_folder_that_tells_nothing_of_its_model_is_told(folder: Path, tmp_path: Path):
    """The command says so before anything is sent."""
    joblib.dump(FunctionTransformer(), tmp_path / "model.joblib")
    done = mlops(
        "score", "--url", "http://localhost:1", folder / "rows.csv", "--model-dir", tmp_path
    )
    assert done.returncode == ExitStatus.UNUSABLE
    assert "does not say which features its model takes; package the model" in done.stderr


def test_a_missing_value_is_an_empty_cell(server: Server, folder: Path):
    """Only an empty cell is missing: in a column of texts the word for it is a text."""
    row = FRAME.iloc[:1].astype(object)
    gap = pd.concat([row.assign(region=""), row.assign(region="nan")])
    gap.to_csv(folder / "gap.csv", index=False)
    done = mlops(
        "score", "--url", server.url, folder / "gap.csv", "--model-dir", folder / "artifact"
    )
    as_asked = pd.concat([row.assign(region=float("nan")), row.assign(region="nan")])
    assert [json.loads(line) for line in done.stdout.splitlines()] == ESTIMATOR.predict(
        as_asked
    ).tolist()
