"""The same bodies sent to us, to MLServer and to MLflow's scoring server, of the same model."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pandas as pd
import pytest

import support
from azureml_scoring.inputs.media_types import CSV, JSON, PARQUET
from blackbox.server import HTTP, Server
from interop.conftest import NAME

pytestmark = pytest.mark.any_worker

MAX_SENTENCE = 120
"""Characters of another server's error that a table shows."""


@dataclass(frozen=True)
class Sent:
    """A body. ``what``: it, for people. ``good``: every server that reads it must predict."""

    what: str
    body: bytes
    media_type: str = JSON
    good: bool = False


def answer(url: str, sent: Sent, expected: list[Any]) -> str:
    """Return what a server answers, for a cell of the table."""
    response = HTTP.post(url, content=sent.body, headers={"Content-Type": sent.media_type})
    if response.status_code == 200:
        return "predictions" if _predictions(response) == expected else "200, other predictions"
    return f"{response.status_code} {_sentence(response)}".strip()


def _predictions(response: httpx.Response) -> list[Any]:
    document = response.json()
    predictions: list[Any] = (
        document["outputs"][0]["data"] if "outputs" in document else document["predictions"]
    )
    return predictions


def _sentence(response: httpx.Response) -> str:
    try:
        document = response.json()
    except ValueError:
        return "" if "<html" in response.text else _short(response.text)
    known = (document.get(key) for key in ("error", "message", "detail", "error_code"))
    trace = ", and a stack trace" if "stack_trace" in document else ""
    return _short(str(next((text for text in known if text), document))) + trace


def _short(text: str) -> str:
    line = " ".join(text.split()).replace("|", "\\|")
    line = line if len(line) <= MAX_SENTENCE else f"{line[:MAX_SENTENCE]}…"
    return f"`{line.replace('`', chr(39))}`"


def tensor(**changes: Any) -> dict[str, Any]:
    flat = [value for row in ROWS for value in row]
    made = {"name": "rows", "shape": [len(ROWS), 10], "datatype": "FP64", "data": flat}
    return made | changes


def document(*inputs: Any, **more: Any) -> bytes:
    return json.dumps({"inputs": inputs} | more).encode()


FRAME = support.diabetes()[0].iloc[:3]
ROWS = FRAME.to_numpy().tolist()
RECORDS = FRAME.to_dict("records")
COLUMNS = [
    {"name": name, "shape": [3], "datatype": "FP64", "data": FRAME[name].tolist()}
    for name in FRAME.columns
]
PANDAS = {"parameters": {"content_type": "pd"}}


def spoiled(**cells: Any) -> list[dict[str, Any]]:
    return [RECORDS[0] | cells, *RECORDS[1:]]


def split(**changes: Any) -> bytes:
    parts = {"columns": list(FRAME.columns), "data": ROWS} | changes
    return json.dumps({"dataframe_split": parts}).encode()


def records(rows: list[Any], **more: Any) -> bytes:
    return json.dumps({"dataframe_records": rows} | more).encode()


def parquet(frame: pd.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.to_parquet(file)
    return file.getvalue()


V2 = [
    Sent("one tensor", document(tensor()), good=True),
    Sent("one tensor, its data nested", document(tensor(data=ROWS)), good=True),
    Sent("one input for each column, `content_type` `pd`", document(*COLUMNS, **PANDAS), good=True),
    Sent("the columns in another order", document(*COLUMNS[::-1], **PANDAS), good=True),
    Sent("`outputs` with `predict`", document(tensor(), outputs=[{"name": "predict"}]), good=True),
    Sent("a column is missing", document(*COLUMNS[1:], **PANDAS)),
    Sent("a row is too short", document(tensor(shape=[3, 9], data=ROWS[0][:9] * 3))),
    Sent("the shape does not fit the data", document(tensor(shape=[2, 10]))),
    Sent("a text in the data", document(tensor(data=["59", *ROWS[0][1:], *ROWS[1], *ROWS[2]]))),
    Sent("a null in the data", document(tensor(data=[None, *ROWS[0][1:], *ROWS[1], *ROWS[2]]))),
    Sent("an unknown datatype", document(tensor(datatype="FLOAT"))),
    Sent("an unknown output", document(tensor(), outputs=[{"name": "fit"}])),
    Sent("no inputs", b'{"inputs": []}'),
    Sent("a key twice", document(tensor())[:-1] + b", " + document(tensor())[1:]),
    Sent("broken JSON", b'{"inputs": [{"name'),
    Sent("`{}`", b"{}"),
]

MLFLOW = [
    Sent("`dataframe_split`", split(), good=True),
    Sent("`dataframe_split` with `index`", split(index=[7, 8, 9]), good=True),
    Sent("`dataframe_records`", records(RECORDS), good=True),
    Sent("`instances`, rows", json.dumps({"instances": RECORDS}).encode(), good=True),
    Sent("`inputs`, columns", json.dumps({"inputs": FRAME.to_dict("list")}).encode(), good=True),
    Sent("a CSV", FRAME.to_csv(index=False).encode(), CSV, good=True),
    Sent("a Parquet file", parquet(FRAME), PARQUET, good=True),
    Sent("`params` beside the data", records(RECORDS, params={}), good=True),
    Sent("a column more", records([row | {"id": "x"} for row in RECORDS]), good=True),
    Sent("columns in another order", split(columns=[*FRAME][::-1], data=[r[::-1] for r in ROWS]),
         good=True),
    Sent("`instances`, lists without names", json.dumps({"instances": ROWS}).encode()),
    Sent("a bare list of records", json.dumps(RECORDS).encode()),
    Sent("a missing column", split(columns=[*FRAME][1:], data=[row[1:] for row in ROWS])),
    Sent("a number in quotes", records(spoiled(age="59"))),
    Sent("a text for a number", records(spoiled(age="old"))),
    Sent("`true` for a number", records(spoiled(age=True))),
    Sent("`null` for a number", records(spoiled(age=None))),
    Sent("an unknown key in `params`", records(RECORDS, params={"depth": 2})),
    Sent("rows of several lengths", split(data=[ROWS[0], ROWS[1][:4]])),
    Sent("two of the four keys", records(RECORDS, instances=ROWS)),
    Sent("a key twice", split()[:-1] + b", " + split()[1:]),
    Sent("no rows", split(data=[])),
    Sent("`{}`", b"{}"),
    Sent("an empty body", b""),
    Sent("broken JSON", split()[:40]),
    Sent("a CSV with a line too short", FRAME.to_csv(index=False).encode() + b"1,2\n", CSV),
    Sent("a CSV with a text for a number", b",".join(map(str.encode, FRAME.columns)) + b"\nold"
         + b",1" * 9, CSV),
    Sent("a damaged Parquet file", parquet(FRAME)[:-30], PARQUET),
    Sent("XML", b"<rows/>", "application/xml"),
]  # fmt: skip


def table(title: str, bodies: list[Sent], urls: list[str], expected: list[Any]) -> list[str]:
    rows = [[sent.what, *(answer(url, sent, expected) for url in urls)] for sent in bodies]
    lines = [["Sent", "This service", title], ["---"] * 3, *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def check(lines: list[str], bodies: list[Sent]) -> None:
    """Ours predicts for each good body, and answers each other one with predictions or 4xx."""
    for sent, line in zip(bodies, lines[2:], strict=True):
        ours = line.split(" | ")[1]
        assert ours == "predictions" or (not sent.good and ours.startswith("4")), line


@pytest.fixture(scope="module")
def expected(ours: Server) -> list[Any]:
    predictions: list[Any] = ours.score({"data": ROWS}).json()["predictions"]
    return predictions


def test_mlserver_and_we_answer_the_same(
    ours: Server, mlserver: str, expected: list[Any], write: Callable[[str, list[str]], None]
):
    """The same predictions for each body that both take; what we refuse is a client's error."""
    urls = [f"{url}/v2/models/{NAME}/infer" for url in (ours.url, mlserver)]
    lines = table("MLServer", V2, urls, expected)
    check(lines, V2)
    assert not [line for line in lines if "other predictions" in line.split(" | ")[1]]
    write("MLServer", lines)


def test_mlflow_and_we_answer_the_same(
    ours: Server, mlflow: str, expected: list[Any], write: Callable[[str, list[str]], None]
):
    """MLflow's four forms, CSV and Parquet, and what is wrong with them."""
    lines = table("MLflow", MLFLOW, [f"{ours.url}/score", f"{mlflow}/invocations"], expected)
    check(lines, MLFLOW)
    write("MLflow", lines)
