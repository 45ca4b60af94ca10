"""Predictions find their truth, and what finds none is told."""

from __future__ import annotations

from pathlib import Path

import orjson
import pandas as pd
import pytest

from azureml_scoring.errors import StartupError
from mlops.quality import rows
from mlops.quality.join import Joined, join

PREDICTIONS = {"r1": [0, 1], "r2": [1]}


def lines(file: Path, *documents: object) -> Path:
    file.write_bytes(b"\n".join(map(orjson.dumps, documents)))
    return file


def joined(predictions: Path, truth: Path, block: str | None = None) -> Joined:
    return join(rows.read([predictions], "prediction", block), rows.read([truth], "truth", block))


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """The rows in another order than the predictions."""
    (tmp_path / "truth.csv").write_text("request_id,row,truth\nr2,0,1\nr1,1,0\nr1,0,0\n")
    return tmp_path / "truth.csv"


AZURE = {
    "specversion": "1.0",
    "id": "725aa8af-0834-415c-aaf5-c76d0c08f694",
    "source": "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices",
    "type": "azureml.inference.model_outputs",
    "datacontenttype": "application/json",
    "time": "2026-11-30T08:51:30Z",
    "modelversion": "default",
    "collectdatatype": "pandas.core.frame.DataFrame",
    "agent": "azureml-ai-monitoring/1.0.0",
    "contentrange": "bytes 0-116/117",
}
FORMS = {
    "the service's own collection": [
        {"time": "2026-11-30T08:51:30.000Z", "correlationid": name, "data": [{"x": 1.5}] * len(p)}
        | {"predictions": p}
        for name, p in PREDICTIONS.items()
    ],
    "Azure ML's data collector": [
        AZURE | {"correlationid": name, "data": [{"prediction": value} for value in p]}
        for name, p in PREDICTIONS.items()
    ],
    "answers of the service": [
        {"predictions": p, "metadata": {"request_id": name, "timestamp": "2026-11-30T08:51:30Z"}}
        for name, p in PREDICTIONS.items()
    ],
    "rows": [
        {"request_id": name, "row": row, "prediction": value}
        for name, p in PREDICTIONS.items()
        for row, value in enumerate(p)
    ],
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_predictions_finds_its_truth(tmp_path: Path, truth: Path, form: str):
    """Whatever wrote the predictions, they are joined by request and row."""
    both = joined(lines(tmp_path / "p.jsonl", *FORMS[form]), truth)
    assert (both.predictions, both.truths, both.blocks.tolist()) == (
        [0, 1, 1],
        [0, 0, 1],
        [0, 0, 1],
    )
    assert both.notes == ()


def test_truth_for_azures_own_monitor_finds_its_predictions(tmp_path: Path):
    """There a row's id is the request's with the row's number."""
    (tmp_path / "truth.csv").write_text("correlationid,truth\nr2_0,1\nr1_1,0\nr1_0,0\n")
    predictions = lines(tmp_path / "p.jsonl", *FORMS["Azure ML's data collector"])
    assert joined(predictions, tmp_path / "truth.csv").truths == [0, 0, 1]


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_probabilities_are_read_from_each_kind_of_file(tmp_path: Path, kind: str):
    """A CSV has them as text; ids of digits stay what they are."""
    frame = pd.DataFrame({"request_id": ["7", "8"], "prediction": [[0.25, 0.75], [0.5, 0.5]]})
    file = tmp_path / f"p.{kind}"
    if kind == "csv":
        frame.to_csv(file, index=False)
    elif kind == "parquet":
        frame.to_parquet(file)
    else:
        frame.to_json(file, orient="records", lines=True)
    (tmp_path / "truth.csv").write_text("request_id,truth\n8,yes\n7,no\n")
    both = joined(file, tmp_path / "truth.csv")
    assert both.predictions == [[0.25, 0.75], [0.5, 0.5]]
    assert both.truths == ["no", "yes"]


def test_what_mlops_score_prints_is_joined_by_line(tmp_path: Path):
    """It has no ids: as many truths as predictions are needed, in their order."""
    scores = lines(tmp_path / "scores.jsonl", [0.1, 0.9], [0.8, 0.2])
    (tmp_path / "truth.csv").write_text("outcome\nyes\nno\n")
    both = joined(scores, tmp_path / "truth.csv")
    assert both.truths == ["yes", "no"]
    assert both.blocks.tolist() == [0, 1]
    (tmp_path / "truth.csv").write_text("outcome\nyes\n")
    with pytest.raises(StartupError, match="2 predictions and 1 truths without request ids"):
        joined(scores, tmp_path / "truth.csv")


def test_what_has_no_partner_or_two_is_told(tmp_path: Path):
    """Missing truths, truths of nothing, repeated rows, and ids that two requests share."""
    predictions = [("a", 1), ("b", 1), ("b", 1), ("c", 1), ("c", 0), ("d", 1), ("e", 1)]
    file = lines(
        tmp_path / "p.jsonl",
        *({"request_id": name, "row": 0, "prediction": value} for name, value in predictions),
    )
    (tmp_path / "truth.csv").write_text("request_id,truth\na,1\nb,0\nc,1\ne,\nx,1\n")
    both = joined(file, tmp_path / "truth.csv")
    assert (both.predictions, both.truths) == ([1, 1], [1, 0])
    assert both.notes == (
        "1 predictions are there twice, and count once",
        "2 predictions share request and row with another value, and are left out: clients may "
        "have used an id again",
        "1 of 4 predictions have no truth yet",
        "2 of 5 truths have no prediction",
        "1 pairs lack a value, and are left out",
    )


def test_truth_that_is_still_on_its_way_is_told(tmp_path: Path):
    """What is known early may be unlike the rest, so the newer predictions are better left out."""
    file = lines(
        tmp_path / "p.jsonl",
        *(
            {"correlationid": str(n), "time": f"2026-11-{n + 1:02}T00:00:00Z", "predictions": [1]}
            for n in range(20)
        ),
    )
    known = [*range(10), 12]
    (tmp_path / "truth.csv").write_text("request_id,truth\n" + "".join(f"{n},1\n" for n in known))
    assert joined(file, tmp_path / "truth.csv").notes[-1] == (
        "truth is there for 100% of the predictions until 2026-11-10 12:00 and 10% of those "
        "after: leave these out if some outcomes are known before others"
    )


def test_rows_of_a_client_are_one_block(tmp_path: Path, truth: Path):
    """--block names a column that either file may have."""
    truth.write_text("request_id,row,truth,client\nr2,0,1,me\nr1,1,0,me\nr1,0,0,you\n")
    both = joined(lines(tmp_path / "p.jsonl", *FORMS["rows"]), truth, "client")
    assert both.blocks.tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.txt", "1", "give .csv, .parquet or .jsonl"),
        ("p.jsonl", "", "has no rows"),
        ("p.jsonl", "[1", "line 1 is not JSON"),
        ("p.jsonl", '{"correlationid": "r", "data": [1]}', "a row without column names"),
        (
            "p.jsonl",
            '{"correlationid": "r", "data": [{}], "predictions": [1, 2]}',
            "more rows or fewer than predictions",
        ),
        ("p.jsonl", '{"correlationid": "r", "data": [{"x": 1}]}', "no column prediction, only x"),
        ("p.csv", "request_id,prediction\n,1\n", "a row without request_id"),
        ("p.csv", "request_id,row,prediction\nr1,-1,1\n", "count rows from 0"),
        ("p.csv", "prediction,x\n1,1\n", "Only one side has request ids"),
        ("p.csv", "request_id,prediction\nother,1\n", "No prediction has a truth"),
    ],
)
def test_files_that_can_not_be_joined_are_one_sentence(
    tmp_path: Path, truth: Path, name: str, content: str, message: str
):
    """It says what to give instead."""
    (tmp_path / name).write_text(content)
    with pytest.raises(StartupError, match=message):
        joined(tmp_path / name, truth)
