import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.contract import Feature
from mlops.sample import features_of, read, rows_of


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
    ("column", "dtype"),
    [
        (pd.Series([1.5], dtype="float32"), "float32"),
        (pd.Series([1, None], dtype="Int64"), "int64"),
        (pd.Series([True]), "bool"),
        (pd.Series([True, None], dtype="boolean"), "bool"),
        (pd.Series(["a", None]), "str"),
        (pd.Series(["a", None], dtype=object), "str"),
        (pd.Series(["a", 1], dtype=object), "any"),
        (pd.Series(["a"], dtype="category"), "category"),
    ],
)
def test_each_dtype_has_a_feature(column: pd.Series, dtype: str):
    """pandas' own and its nullable ones."""
    assert features_of(pd.DataFrame({"c": column}))[0].dtype == dtype


def test_rows_are_plain_values_with_null_for_what_is_missing():
    """They are like those of a request. The service refuses lists, which Parquet may hold."""
    frame = pd.DataFrame(
        {"a": [1.5, np.nan], "b": ["x", None], "c": pd.Series([1, None], dtype="Int64")}
    )
    assert rows_of(frame.assign(d=[np.array([1, 2]), None])) == [
        [1.5, "x", 1, [1, 2]],
        [None, None, None, None],
    ]


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
    with pytest.raises(StartupError, match="row 2 has 1 values, not 2; correct the file"):
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


def test_json_has_datetimes_and_categories_where_the_user_tells(tmp_path: Path):
    """It has no types for them; what is missing stays missing."""
    (tmp_path / "s.json").write_text('[{"day": "2025-11-09", "k": "07"}, {"day": null, "k": null}]')
    frame = read(
        tmp_path / "s.json",
        user_types={"day": Feature("day", "datetime"), "k": Feature("k", "category")},
    )
    assert [feature.dtype for feature in features_of(frame)] == ["datetime", "category"]
    assert rows_of(frame) == [["2025-11-09T00:00:00", "07"], [None, None]]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (Feature("k", "datetime"), "Row 2 of the sample: column k must be a date or time"),
        (Feature("other", "category"), "--dtype names other, which the sample lacks; it has k"),
        (Feature("k", "float64"), "--dtype k=datetime and --dtype k=category"),
    ],
)
def test_what_json_can_not_be_told_is_refused(tmp_path: Path, told: Feature, said: str):
    """The error is one sentence."""
    (tmp_path / "s.json").write_text('[{"k": "2025-11-09"}, {"k": "9.11."}]')
    with pytest.raises(StartupError, match=said):
        read(tmp_path / "s.json", user_types={str(told.name): told})
