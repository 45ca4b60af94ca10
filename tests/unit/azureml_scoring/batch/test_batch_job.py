"""What a job writes: whole files only, which another try replaces."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet
import pytest

import batch_score
import support
from azureml_scoring import settings
from azureml_scoring.batch.job import FileFailed, Job, output_name
from azureml_scoring.errors import ModelFailed, ModelRefusedInput, StartupError
from azureml_scoring.inputs.batch import Batch


def answers(batch: Batch) -> list[Any]:
    first = batch.X[:, 0].tolist()
    if 666.0 in first:
        raise ModelRefusedInput("The model refused the values.")
    if 500.0 in first:
        raise ModelFailed("The model failed.")
    return [float("nan") if value == 0 else value for value in first]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in" / "sub"
    folder.mkdir(parents=True)
    (folder / "x.csv").write_text("a,b\n1,2\nx,2\n666,2\n0,2\n5,6\n7,8\n9,10\n")
    return folder / "x.csv"


def job(tmp_path: Path, **changes: Any) -> Job:
    environment = {
        "AZUREML_BI_OUTPUT_PATH": str(tmp_path / "out"),
        "SCORING_BATCH_INPUT_ROOT": str(tmp_path / "in"),
    }
    model = support.model(
        predict=answers, answers={"predict": [1.0], "predict_proba": [[0.5, 0.5]]}
    )
    return Job(model, settings.load(environment | changes))


def table(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def files(tmp_path: Path) -> list[str]:
    out = tmp_path / "out"
    return sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())


def test_good_and_bad_rows_go_to_files_of_their_own(tmp_path: Path, source: Path):
    """Each row has its number in the file; a bad one its column and reason, and no value."""
    job(tmp_path).score(source)
    out = tmp_path / "out" / "sub"
    assert table(out / "x.csv.predictions.csv") == [
        ["file", "row", "prediction"],
        *(["sub/x.csv", str(row), str(answer)] for row, answer in ((1, 1), (5, 5), (6, 7), (7, 9))),
    ]
    bad = table(out / "x.csv.errors.csv")
    assert [row[:4] for row in bad] == [
        ["file", "row", "column", "code"],
        ["sub/x.csv", "2", "a", "wrong_type"],
        ["sub/x.csv", "3", "", "model_refused_input"],
        ["sub/x.csv", "4", "", "model_refused_input"],
    ]
    assert bad[1][4] == "Feature a must be a number."
    summary = orjson.loads((tmp_path / "out" / "summaries" / "sub" / "x.csv.json").read_bytes())
    assert (summary["rows"], summary["predictions"], summary["bad_rows"]) == (7, 4, 3)


def test_parquet_keeps_the_types(tmp_path: Path, source: Path):
    """They are those of the model's golden answers."""
    job(tmp_path, SCORING_BATCH_OUTPUT="parquet", SCORING_NON_FINITE_OUTPUT="null").score(source)
    read = pyarrow.parquet.read_table(tmp_path / "out" / "sub" / "x.csv.predictions.parquet")
    assert dict(zip(read.schema.names, map(str, read.schema.types), strict=True)) == {
        "file": "string",
        "row": "int64",
        "prediction": "double",
    }
    assert read["prediction"].to_pylist() == [1.0, None, 5.0, 7.0, 9.0]


def test_another_try_replaces_the_files(tmp_path: Path, source: Path):
    """Nothing of the first one stays, in no other form either."""
    job(tmp_path).score(source)
    source.write_text("a,b\n1,2\n")
    job(tmp_path, SCORING_BATCH_OUTPUT="parquet").score(source)
    assert files(tmp_path) == ["sub/x.csv.predictions.parquet", "summaries/sub/x.csv.json"]


@pytest.mark.parametrize("content", ["c,d\n1,2\n", "a,b\nx,2\ny,2\n1,2\n"])
def test_a_file_of_bad_rows_fails(tmp_path: Path, source: Path, content: str):
    """It has no predictions, and the summary says why."""
    job(tmp_path).score(source)
    source.write_text(content)
    with pytest.raises(FileFailed):
        job(tmp_path).score(source)
    assert "sub/x.csv.predictions.csv" not in files(tmp_path)
    summary = orjson.loads((tmp_path / "out" / "summaries" / "sub" / "x.csv.json").read_bytes())
    assert (summary["predictions"], bool(summary["failure"])) == (0, True)


def test_a_try_that_breaks_off_leaves_nothing(tmp_path: Path, source: Path):
    """Neither half a file nor a temporary one."""

    def stop(*_: object) -> None:
        raise OSError("The disk is full.")

    with pytest.raises(OSError, match="full"):
        job(tmp_path).score(source, stop)
    assert files(tmp_path) == []


def test_a_file_is_called_alike_on_each_machine(tmp_path: Path, source: Path):
    """Its folder may be mounted elsewhere at the second try; files of one name stay apart."""
    other = tmp_path / "mounted" / "x.csv"
    other.parent.mkdir()
    shutil.copyfile(source, other)
    assert output_name(source, None) == output_name(other, None)
    other.write_text("a,b\n")
    assert output_name(source, None) != output_name(other, None)
    assert output_name(source, tmp_path / "in") == "sub/x.csv"


def test_settings_that_do_not_fit_stop_the_start(tmp_path: Path):
    """The sentence names the setting."""
    with pytest.raises(StartupError, match="SCORING_BATCH_METHOD"):
        job(tmp_path, SCORING_BATCH_METHOD="transform")
    with pytest.raises(StartupError, match="AZUREML_BI_OUTPUT_PATH"):
        job(tmp_path, AZUREML_BI_OUTPUT_PATH="")


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(batch_score, "_job", job(tmp_path))
    yield batch_score
    batch_score.shutdown()


def test_the_script_returns_an_element_for_each_file_that_is_done(
    script: Any, source: Path, capfd: pytest.CaptureFixture[str]
):
    """So the service counts the others as failed."""
    bad = source.with_name("bad.csv")
    bad.write_text("c\n1\n")
    assert script.run([str(bad), str(source)]) == [str(source)]


def test_the_script_raises_what_another_try_may_mend_at_the_end(
    script: Any, tmp_path: Path, source: Path
):
    """The service then tries the mini-batch again; the other files are done already."""
    broken = source.with_name("broken.csv")
    broken.write_text("a,b\n500,1\n")
    with pytest.raises(ModelFailed):
        script.run([str(broken), str(source)])
    assert "sub/x.csv.predictions.csv" in files(tmp_path)


def test_the_script_must_have_been_started():
    """``run`` before ``init`` says so."""
    with pytest.raises(StartupError, match=r"init\(\) has not run yet"):
        batch_score.run([])
