"""A file of rows is read in each format, or refused by the place of what is wrong."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from azureml_scoring.errors import StartupError
from mlops.sample import read


def test_each_format_is_read(tmp_path: Path):
    """CSV, Parquet, .npy, and JSON as a request or as records."""
    frame = pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]})
    frame.to_csv(tmp_path / "s.csv", index=False)
    frame.to_parquet(tmp_path / "s.parquet")
    (tmp_path / "records.json").write_text(frame.to_json(orient="records"))
    (tmp_path / "split.json").write_text(frame.to_json(orient="split"))
    (tmp_path / "input_data.json").write_text(
        json.dumps({"input_data": json.loads(frame.to_json(orient="split"))})
    )
    for name in ("s.csv", "s.parquet", "records.json", "split.json", "input_data.json"):
        pd.testing.assert_frame_equal(read(tmp_path / name), frame)
    np.save(tmp_path / "s.npy", np.eye(2))
    (tmp_path / "data.json").write_text(json.dumps({"data": [[1, 0], [0, 1]]}))
    for name in ("s.npy", "data.json"):
        assert read(tmp_path / name).to_numpy().tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It is not among the requirements: only some need it."""
    (tmp_path / "s.parquet").touch()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(StartupError, match="pip install pyarrow"):
        read(tmp_path / "s.parquet")


def test_a_csv_without_a_header_loses_no_row(tmp_path: Path):
    """Names that are all numbers are data."""
    (tmp_path / "s.csv").write_text("1,2\n3,4\n")
    assert read(tmp_path / "s.csv").to_numpy().tolist() == [[1, 2], [3, 4]]


def test_a_headerless_row_that_repeats_a_value_is_data_too(tmp_path: Path):
    """pandas would rename the second 1.5 to a name."""
    (tmp_path / "s.csv").write_text("1.5,1.5\n3,4\n")
    assert read(tmp_path / "s.csv").to_numpy().tolist() == [[1.5, 1.5], [3, 4]]


@pytest.mark.parametrize(
    ("name", "content"),
    [("s.xlsx", "x"), ("s.json", "{"), ("s.csv", ""), ("s.csv", "a,b\n"), ("s.npy", "x")],
)
def test_a_sample_that_can_not_be_read_is_named(tmp_path: Path, name: str, content: str):
    """One sentence names the file."""
    (tmp_path / name).write_text(content)
    with pytest.raises(StartupError, match=name):
        read(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("s.json", "[[1, 2], [3]]"),
        ("s.json", '{"input_data": {"columns": ["a", "b"], "data": [[1, 2], [3]]}}'),
        ("s.jsonl", "[1, 2]\n[3]\n"),
    ],
)
def test_a_row_with_fewer_values_is_refused(tmp_path: Path, name: str, content: str):
    """It is not filled up."""
    (tmp_path / name).write_text(content)
    with pytest.raises(StartupError, match="row 2 has 1 value, not 2; correct the file"):
        read(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (
            "s.jsonl",
            '{"a": 1}\n\n{bad\n',
            "line 3 is not JSON (unexpected character, expected a string key, in column 2)",
        ),
        (
            "s.jsonl",
            '{"a": NaN}\n',
            "line 1 is not JSON (unexpected character, expected a JSON value, in column 7)",
        ),
        ("s.jsonl", '{"a": 1}\n[1, 2]\n', "row 2 is a list, row 1 is an object"),
        ("s.jsonl", "[1]\n3\n", "row 2 is a value, row 1 is a list"),
        ("s.json", '{"data": [[1], {"a": 1}]}', "row 2 is an object, row 1 is a list"),
    ],
)
def test_what_is_wrong_in_json_is_told_by_its_place_in_the_file(
    tmp_path: Path, name: str, content: str, told: str
):
    """An error in JSON lines names the line of the file, not line 1."""
    (tmp_path / name).write_text(content)
    with pytest.raises(StartupError) as error:
        read(tmp_path / name)
    assert (
        str(error.value) == f"The sample {tmp_path / name} can't be read: {told}; correct the file."
    )


@pytest.mark.parametrize(
    "content",
    [
        '{"a": {"0": 1, "1": 2}}',
        '{"0": {"a": 1}}',
        '{"a": 1, "b": 2}',
        '{"data": {"a": {"0": 1}}}',
    ],
)
def test_an_object_that_may_be_rows_or_columns_is_refused(tmp_path: Path, content: str):
    """pandas writes such an object by default, by column or by row."""
    (tmp_path / "s.json").write_text(content)
    with pytest.raises(
        StartupError, match=r"may hold rows or columns; write it by .* orient='records'"
    ):
        read(tmp_path / "s.json")


@pytest.mark.parametrize(
    ("name", "content"), [("s.json", '[{"a": 1}]'), ("s.jsonl", '{"a": 1}\n'), ("s.csv", "a\n1\n")]
)
def test_a_byte_order_mark_is_taken(tmp_path: Path, name: str, content: str):
    """Windows' editors write one."""
    (tmp_path / name).write_text(content, encoding="utf-8-sig")
    assert read(tmp_path / name).to_dict("list") == {"a": [1]}
