from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.feature import Feature
from examples import at_most
from mlops.csv_file import CsvFile
from mlops.sample import features_of, read

FEATURES = (
    Feature("x", "float64"),
    Feature("small", "float32"),
    Feature("n", "int64"),
    Feature("big", "uint64"),
    Feature("text", "str"),
    Feature("flag", "bool"),
    Feature("grade", "category", categories=("A", "NA", "1")),
    Feature("level", "category", categories=(1, 2, 10)),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
ROW = st.tuples(
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.integers(0, 2**64 - 1),
    st.none() | TEXTS,
    st.none() | st.booleans(),
    st.none() | st.sampled_from(["A", "NA", "1"]),
    st.none() | st.sampled_from([1, 2, 10]),
)
QUOTED = {"index": False, "lineterminator": "\r\n"}
"""Else Python 3.11 writes a lone carriage return without quotes, which is refused on reading."""

FLAGS = {"true": True, "false": False}
FAST = settings(
    max_examples=at_most(60), suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def values(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    plain = frame.astype(object)
    return list(plain.where(plain.notna(), None).itertuples(index=False, name=None))


@FAST
@given(st.lists(ROW, min_size=1))
def test_what_was_written_is_read_under_the_contract(
    tmp_path: Path, rows: list[tuple[object, ...]]
):
    """Each value keeps every bit: texts of any content, whole numbers of any size, gaps."""
    names = [feature.name for feature in FEATURES]
    with (tmp_path / "csv.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([names, *rows])
    pd.DataFrame(rows, columns=names, dtype=object).to_csv(tmp_path / "pandas.csv", **QUOTED)
    for name in ("csv.csv", "pandas.csv"):
        assert values(read(tmp_path / name, FEATURES)) == rows


@FAST
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1))
def test_a_column_that_is_told_to_be_text_keeps_every_character(
    tmp_path: Path, rows: list[tuple[str, str]]
):
    """Spaces, quotes, line ends, digits, words such as NA or True."""
    pd.DataFrame(rows, columns=["a", "b"], dtype=object).to_csv(tmp_path / "t.csv", **QUOTED)
    told = {"a": Feature("a", "str"), "b": Feature("b", "str")}
    assert values(read(tmp_path / "t.csv", user_types=told)) == rows


@FAST
@given(st.lists(st.tuples(TEXTS), min_size=1))
def test_what_is_not_told_loses_nothing(tmp_path: Path, rows: list[tuple[str]]):
    """An inferred number or boolean equals its cell; anything else is the cell itself."""
    pd.DataFrame(rows, columns=["a"], dtype=object).to_csv(tmp_path / "t.csv", **QUOTED)
    for (found,), (cell,) in zip(values(read(tmp_path / "t.csv")), rows, strict=True):
        assert found == (
            cell
            if isinstance(found, str)
            else float(cell)
            if cell.lower() not in FLAGS
            else FLAGS[cell.lower()]
        )


@pytest.mark.parametrize(
    ("cells", "dtype", "found"),
    [
        (["1", "2"], "int64", [1, 2]),
        (["1", ""], "float64", [1.0, None]),
        (["1", "2.5", "-3e2", ".5", "inf"], "float64", [1.0, 2.5, -300.0, 0.5, np.inf]),
        (["01067", "10115"], "str", ["01067", "10115"]),
        (["+491701", "12"], "str", ["+491701", "12"]),
        (["1_000", "2"], "str", ["1_000", "2"]),
        (["9007199254740993", "1"], "int64", [9007199254740993, 1]),
        (["9007199254740993", ""], "str", ["9007199254740993", None]),
        (["9223372036854775808", "1"], "str", ["9223372036854775808", "1"]),
        (["1", "NA"], "str", ["1", "NA"]),
        (["nan", "null", "None", "NULL", "N/A"], "str", ["nan", "null", "None", "NULL", "N/A"]),
        (["yes", "no"], "str", ["yes", "no"]),
        (["True", "false", ""], "bool", [True, False, None]),
        (["True", "1"], "str", ["True", "1"]),
        (["2026-01-01", ""], "str", ["2026-01-01", None]),
        (["", ""], "float64", [None, None]),
    ],
)
def test_cells_are_inferred_with_care(
    tmp_path: Path, cells: list[str], dtype: str, found: list[object]
):
    """A column is text unless all that it holds are numbers, none of them a code, or all are true
    or false."""
    (tmp_path / "t.csv").write_text("\n".join(["key,a", *(f"k,{cell}" for cell in cells)]))
    frame = read(tmp_path / "t.csv")[["a"]]
    assert (features_of(frame)[0].dtype, [value for (value,) in values(frame)]) == (dtype, found)


@pytest.mark.parametrize(
    ("dtype", "cells", "found"),
    [
        (
            "float64",
            ["1", "NA", "nan", "null", "None", " 2 ", "1e3"],
            [1.0, None, None, None, None, 2.0, 1000.0],
        ),
        ("int64", ["007", "3.0", "NA"], [7, 3, None]),
        ("bool", ["True", "FALSE", "1", "0", ""], [True, False, True, False, None]),
        ("str", ["NA", "01", "", "True"], ["NA", "01", None, "True"]),
        ("category", ["b", "a", "", "NA"], ["b", "a", None, "NA"]),
        (
            "datetime",
            ["2025-11-09", "", "2025-11-09 10:00"],
            [pd.Timestamp("2025-11-09"), None, pd.Timestamp("2025-11-09T10:00")],
        ),
    ],
)
def test_what_the_user_tells_decides(
    tmp_path: Path, dtype: str, cells: list[str], found: list[object]
):
    """Among numbers and booleans the words that stand for nothing mean nothing else; in texts they
    are texts."""
    (tmp_path / "t.csv").write_text("\n".join(["key,a", *(f"k,{cell}" for cell in cells)]))
    frame = read(tmp_path / "t.csv", user_types={"a": Feature("a", dtype)})[["a"]]
    assert [value for (value,) in values(frame)] == found
    assert features_of(frame)[0].dtype == dtype


@pytest.mark.parametrize(
    ("dtype", "cell", "wanted"),
    [
        ("float64", "12 EUR", "a number"),
        ("float64", "1_000", "a number"),
        ("int64", "1.5", "a whole number"),
        ("int64", "inf", "a whole number"),
        ("bool", "yes", "true or false"),
        ("bool", "77", "true or false"),
        ("datetime", "09/11/2025", "a date or time in ISO 8601 without a zone"),
        ("int64", "9223372036854775808", "a whole number that fits int64"),
    ],
)
def test_a_cell_that_does_not_fit_is_named_by_its_line(
    tmp_path: Path, dtype: str, cell: str, wanted: str
):
    """The first of them, by the line in the file, with what its column takes; the cell itself is
    not repeated."""
    (tmp_path / "t.csv").write_text(f'text,a\n"two\nlines",\nx,{cell}\nx,{cell}\n')
    with pytest.raises(
        StartupError, match=rf"Line 4 of .*t\.csv: column a must be {wanted}"
    ) as caught:
        read(tmp_path / "t.csv", user_types={"a": Feature("a", dtype)})
    assert cell not in str(caught.value).replace(str(tmp_path), "")


def test_a_category_that_the_fit_did_not_have_is_named_by_its_line(tmp_path: Path):
    """pandas would make a missing value of it."""
    (tmp_path / "t.csv").write_text("a,b\nred,1\npink,1\n")
    with pytest.raises(StartupError, match=r"Line 3 of .* one of the 2 categories of the fit"):
        read(tmp_path / "t.csv", [Feature("a", "category", categories=("red", "blue"))])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\n1,2\n1,2,3\n", "Line 3 of .* has 3 values, the header has 2 names"),
        ("a,b\n1,2,3\n1,2,3\n", "Line 2 of .* has 3 values, the header has 2 names"),
        ("a,b\n1,2,\n", "Line 2 of .* has 3 values, the header has 2 names"),
        ("a,b\n1,2\n1\n", "Line 3 of .* has 1 value, the header has 2 names"),
        ('a,b\n"1\n\n",2\n1\n', "Line 5 of .* has 1 value,"),
        ("1,2\n3,4,5\n", "Line 2 of .* has 3 values, the first row has 2"),
        (
            'a,b\n"x"y,2\n',
            "begins in line 2 of .* is not CSV: a quote in it is not closed or not doubled",
        ),
        ('a,b\n1,2\n"x,2\n3,4\n5,6\n', "begins in line 3 of .* is not CSV: a quote"),
        ("a,b\nx\ry,2\n", "begins in line 2 of .* is not CSV: .* or a line end is not in quotes"),
        ("a,a\n1,2\n", "names the column a twice"),
        ("a;b\n1;2\n", "separates values by semicolons; save it with commas"),
        ("a;b\n1,5;2,0\n", "separates values by semicolons; save it with commas"),
        ("1,5;-2,0\n3,5;4\n", "separates values by semicolons; save it with commas"),
        ("a\tb\n1\t2\n", "separates values by tabs"),
        ("0,1\n3,4\n", "may be names or values"),
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,b\n\n", "has no rows"),
        ("a,b\n\xe9,1\n", "not in UTF-8"),
    ],
)
def test_a_file_that_could_be_misread_is_refused(tmp_path: Path, content: str, said: str):
    """The error names its line, in a sample, rows to score or data to compare."""
    (tmp_path / "t.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(StartupError, match=said):
        read(tmp_path / "t.csv")


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffa,b\n1,x\n2,y\n",
        "a,b\r\n1,x\r\n2,y\r\n",
        "a,b\n\n1,x\n\n2,y\n\n",
        '"a","b"\n"1","x"\n"2","y"',
    ],
)
def test_files_of_other_programs_are_read(tmp_path: Path, content: str):
    """A byte order mark, Windows' line ends, blank lines, quotes around everything."""
    (tmp_path / "t.csv").write_bytes(content.encode())
    assert values(read(tmp_path / "t.csv")) == [(1, "x"), (2, "y")]


def test_an_empty_cell_is_missing_with_quotes_or_without(tmp_path: Path):
    """Most programs write no difference, and pandas, by which models are trained, reads none."""
    (tmp_path / "t.csv").write_text('a,b\n"",""\n,\nx,y\n')
    assert values(read(tmp_path / "t.csv")) == [(None, None), (None, None), ("x", "y")]


def test_a_blank_line_is_a_gap_of_a_single_column(tmp_path: Path):
    """No row is lost; a blank line at the end is not a row."""
    (tmp_path / "t.csv").write_text("a\nx\n\ny\n\n\n")
    assert values(read(tmp_path / "t.csv")) == [("x",), (None,), ("y",)]


def test_places_as_names_are_no_row(tmp_path: Path):
    """pandas writes 0, 1, 2 above columns that have no names."""
    pd.DataFrame([[1.5, 2.5, 3.5]]).to_csv(tmp_path / "t.csv", index=False)
    frame = read(tmp_path / "t.csv")
    assert (list(frame.columns), frame.to_numpy().tolist()) == ([0, 1, 2], [[1.5, 2.5, 3.5]])


def test_columns_without_names_have_their_types_by_place(tmp_path: Path):
    """This holds for a contract too whose model was fitted without names."""
    (tmp_path / "t.csv").write_text("1,2\n3,4\n")
    frame = read(
        tmp_path / "t.csv",
        [Feature(None, "float64"), Feature(None, "str")],
        {"0": Feature("0", "str")},
    )
    assert values(frame) == [("1", "2"), ("3", "4")]


def test_only_columns_that_are_there_can_be_told(tmp_path: Path):
    """In each format."""
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(
        StartupError, match=r"--text or --dtype names c, which .* lacks; it has a, b"
    ):
        read(tmp_path / "t.csv", user_types={"c": Feature("c", "str")})
    (tmp_path / "t.json").write_text("[[1]]")
    with pytest.raises(StartupError, match="--dtype names a, which the sample lacks; it has 0"):
        read(tmp_path / "t.json", user_types={"a": Feature("a", "str")})


def test_columns_can_be_left_out(tmp_path: Path):
    """It works as with a DataFrame."""
    (tmp_path / "t.csv").write_text("a,b,c\n1,2,3\n")
    assert values(CsvFile.read(tmp_path / "t.csv").drop(["b"]).frame()) == [(1, 3)]
