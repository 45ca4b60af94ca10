from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from azureml_scoring.client import RequestRefused, ScoreError, ServerBusy
from azureml_scoring.client.errors import Details
from azureml_scoring.errors import ClientError, StartupError
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.limits import Limits
from examples import at_most
from mlops.rows_request import RowsRequest
from mlops.score import predictions_of
from mlops.score_refused import sentence
from mlops.score_rows import batches
from validation import validate

ROWS = st.lists(
    st.tuples(st.integers(-(2**53), 2**53), st.text("ab\u00e9 ", min_size=1)),
    min_size=1,
    max_size=450,
)


@settings(max_examples=at_most(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS)
def test_every_row_is_sent_once_and_in_order(tmp_path: Path, rows: list[tuple[int, str]]):
    """Batches have at most a hundred rows, the file's column names, and know their first row."""
    file = tmp_path / "rows.jsonl"
    file.write_bytes(
        b"\n".join(orjson.dumps({"number": number, "text": text}) for number, text in rows)
    )
    made = batches(file)
    tables = [orjson.loads(part.body)["input_data"] for part in made]
    assert [tuple(row) for table in tables for row in table["data"]] == rows
    assert all(table["columns"] == ["number", "text"] for table in tables)
    assert [part.count for part in made] == [len(table["data"]) for table in tables]
    assert max(part.count for part in made) <= 100
    assert [part.first for part in made] == list(range(1, len(rows) + 1, 100))


def test_all_kinds_of_tables_are_read(tmp_path: Path):
    """CSV, Parquet and JSON lines give the same request; missing values are null."""
    frame = pd.DataFrame({"age": [59.0, None], "city": ["Rome", "Oslo"]})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.to_parquet(tmp_path / "rows.parquet")
    frame.to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    expected = {
        "input_data": {"columns": ["age", "city"], "data": [[59.0, "Rome"], [None, "Oslo"]]}
    }
    for kind in ("csv", "parquet", "jsonl"):
        (only,) = batches(tmp_path / f"rows.{kind}")
        assert orjson.loads(only.body) == expected


def test_a_table_without_names_is_sent_without(tmp_path: Path):
    """The server then takes the columns by position."""
    (tmp_path / "rows.csv").write_text("1,2\n3,4\n")
    (only,) = batches(tmp_path / "rows.csv")
    assert orjson.loads(only.body) == {"input_data": [[1, 2], [3, 4]]}


def test_what_json_can_not_hold_is_refused(tmp_path: Path):
    """Infinity would arrive as null, a duration not at all; a date arrives as ISO 8601."""
    pd.DataFrame({"x": [1.0, math.inf]}).to_parquet(tmp_path / "infinite.parquet")
    pd.DataFrame({"x": pd.to_datetime(["2026-01-01"])}).to_parquet(tmp_path / "date.parquet")
    pd.DataFrame({"x": pd.to_timedelta([1], unit="s")}).to_parquet(tmp_path / "duration.parquet")
    with pytest.raises(StartupError, match=r"Row 2 of .* infinite number"):
        batches(tmp_path / "infinite.parquet")
    with pytest.raises(StartupError, match=r"Column x .* timedelta"):
        batches(tmp_path / "duration.parquet")
    (only,) = batches(tmp_path / "date.parquet")
    assert orjson.loads(only.body)["input_data"]["data"] == [["2026-01-01T00:00:00"]]


def test_a_column_that_the_model_leaves_open_is_noted(tmp_path: Path):
    """A note names only columns whose cells are sent as numbers or booleans but may be text."""
    (tmp_path / "rows.csv").write_text("code,flag,city,age\n1,True,Rome,5\n2,False,Oslo,6\n")
    features = [Feature(name, "any") for name in ("code", "flag", "city")] + [
        Feature("age", "float64")
    ]
    said: list[str] = []
    batches(tmp_path / "rows.csv", features, say=said.append)
    assert said[0].startswith("note: by their cells, code, flag are read as numbers or booleans")
    batches(
        tmp_path / "rows.csv",
        features,
        {"code": Feature("code", "str"), "flag": Feature("flag", "bool")},
        said.append,
    )
    batches(tmp_path / "rows.csv", say=said.append)
    assert len(said) == 1


class Client:
    """A client that validates as the service does, and counts its requests."""

    def __init__(self, *features: Feature) -> None:
        self._contract = Contract(features, ("predict",))
        self.times = 0

    def score_body(self, body: bytes, rows: int | None = None) -> Any:
        self.times += 1
        try:
            return validate(body, self._contract, Limits()).X.tolist()
        except ClientError as error:
            details = Details(error.code, 422, error.location)
            raise RequestRefused(error.message, details.placed()) from None


def refused(client: Client, rows: RowsRequest) -> str:
    with pytest.raises(ScoreError) as caught:
        predictions_of(client, rows, set())
    return sentence(caught.value, rows.place)


def test_a_column_that_the_server_takes_numbers_in_is_sent_as_such(tmp_path: Path):
    """Columns with words for missing values are retried once a file, each with its cells parsed."""
    (tmp_path / "rows.csv").write_text("a,b,c\n" + "1,true,x\n" * 100 + "2.5,NA,y\nNA,false,z\n")
    client = Client(
        Feature("a", missing=True), Feature("b", "bool", missing=True), Feature("c", "str")
    )
    by_cell: set[int] = set()
    first, second = batches(tmp_path / "rows.csv")
    assert predictions_of(client, first, by_cell) == [[1, True, "x"]] * 100
    assert str(predictions_of(client, second, by_cell)) == "[[2.5, None, 'y'], [nan, False, 'z']]"
    assert client.times == 4


@pytest.mark.parametrize(
    ("feature", "cells", "row"),
    [
        (Feature("a", "category", categories=("1", "2", "x")), ("1", "2", "x", "7"), 4),
        (Feature("a", "str"), ("5", "6"), 1),
        (Feature("a"), ("1", "2", "two", "three"), 3),
        (Feature("a", "datetime"), ("2025-01-01", "5", "soon"), 2),
        (Feature("a", "bool"), ("true", "False", "yes"), 3),
    ],
)
def test_the_error_farthest_down_is_shown(
    tmp_path: Path, feature: Feature, cells: tuple[str, ...], row: int
):
    """If a column is refused twice, the error farther down is shown, since it names the odd
    cell."""
    (tmp_path / "rows.csv").write_text("\n".join(("a,b", *(f"{cell},1" for cell in cells))))
    (rows,) = batches(tmp_path / "rows.csv")
    assert f"in row {row}, line {row + 1} of the file)" in refused(
        Client(feature, Feature("b")), rows
    )


def test_the_error_of_another_column_is_shown_once_the_first_is_read(tmp_path: Path):
    """The error is shown whichever row it is in."""
    (tmp_path / "rows.csv").write_text("a,b\n1,soon\n2,later\nNA,then\n")
    (rows,) = batches(tmp_path / "rows.csv")
    said = refused(Client(Feature("a", missing=True), Feature("b", "bool")), rows)
    assert said == "Feature b must be true or false. (422 wrong_type in row 1, line 2 of the file)"


def test_a_server_that_fails_the_second_time_is_reported(tmp_path: Path):
    """The new error is shown instead of the refusal that caused the retry."""

    class Failing(Client):
        def score_body(self, *given: Any) -> Any:
            if self.times:
                raise ServerBusy("it is busy")
            return super().score_body(*given)

    (tmp_path / "rows.csv").write_text("a,b\n1,1\n2,1\nNA,1\n")
    (rows,) = batches(tmp_path / "rows.csv")
    assert refused(Failing(Feature("a"), Feature("b")), rows) == "it is busy"
