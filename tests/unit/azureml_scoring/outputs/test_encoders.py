"""Answers in each form are read again with the readers that clients use."""

import csv
import importlib.util
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_scoring.errors import NotAcceptable
from azureml_scoring.inputs.media_types import ARROW, CSV, JSON, NPY, PARQUET
from azureml_scoring.outputs.columns import columns_of
from azureml_scoring.outputs.encoders import ENCODERS, offered

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
KINDS = [FLOATS, INTEGERS, st.booleans(), TEXTS]
CELLS = st.one_of([st.lists(st.none() | kind, min_size=3, max_size=3) for kind in KINDS])
"""Three values of a column."""

OBJECTS = st.dictionaries(TEXTS, CELLS, min_size=1, max_size=3).map(
    lambda columns: [{name: columns[name][row] for name in columns} for row in range(3)]
)
LISTS = st.lists(CELLS, min_size=1, max_size=3).map(
    lambda columns: [list(row) for row in zip(*columns, strict=True)]
)
ANSWERS = CELLS | LISTS | OBJECTS


def encoded(media_type: str, answers: list[Any]) -> bytes:
    """Encode answers as the service does, from their JSON."""
    return ENCODERS[media_type](orjson.loads(orjson.dumps(answers)))


def decoded(table: pa.Table, answers: list[Any]) -> list[Any]:
    """Return the rows of a table in the form of the answers."""
    rows = table.to_pylist()
    if isinstance(answers[0], dict):
        return rows
    return [
        list(row.values()) if isinstance(answers[0], list) else row["prediction"] for row in rows
    ]


READERS: dict[str, Callable[[bytes], pa.Table]] = {
    ARROW: lambda body: pa.ipc.open_stream(body).read_all(),
    PARQUET: lambda body: pq.read_table(io.BytesIO(body)),
}


@pytest.mark.parametrize("media_type", READERS)
@given(answers=ANSWERS)
def test_tables_hold_the_answers_of_json(media_type: str, answers: list[Any]):
    """To the last bit, and of the same types; a missing value is a null."""
    got = decoded(READERS[media_type](encoded(media_type, answers)), answers)
    assert got == answers
    assert orjson.dumps(got) == orjson.dumps(answers)


@given(answers=ANSWERS)
def test_a_csv_holds_the_answers_of_json(answers: list[Any]):
    """Floats come back to the last bit, texts with any commas, quotes and line ends."""
    text = encoded(CSV, answers).decode()
    header, *lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    columns = columns_of(answers)
    assert header == [*columns]
    rows = [*zip(*columns.values(), strict=True)]
    for cells, row in zip(lines, rows, strict=True):
        assert cells == ["" if value is None else str(value) for value in row]
        assert all(
            float(cell) == value
            for cell, value in zip(cells, row, strict=True)
            if isinstance(value, float)
        )


NUMBERS = st.one_of([st.lists(kind, min_size=2, max_size=2) for kind in KINDS[:3]])


@given(answers=NUMBERS | st.lists(NUMBERS, min_size=2, max_size=2))
def test_an_array_holds_the_answers_of_json(answers: list[Any]):
    """In the shape of the answers; it can be loaded without pickle."""
    got = np.load(io.BytesIO(encoded(NPY, answers)), allow_pickle=False)
    np.testing.assert_array_equal(got, np.array(answers))
    assert got.dtype == np.array(answers).dtype


def test_a_missing_number_is_nan_in_an_array():
    """As numpy writes it."""
    got = np.load(io.BytesIO(encoded(NPY, [1.5, None])))
    np.testing.assert_array_equal(got, [1.5, np.nan])


@pytest.mark.parametrize(
    "answers", [["a"], ["1", None], [[1], [1, 2]], [{"a": 1}], [[1, "a"]], [[[1]], [None]]]
)
def test_an_array_of_anything_but_numbers_is_refused(answers: list[Any]):
    """The error names a form that holds it."""
    with pytest.raises(NotAcceptable, match="text/csv"):
        encoded(NPY, answers)


def test_forms_that_need_pyarrow_are_not_offered_without_it(monkeypatch: pytest.MonkeyPatch):
    """JSON, CSV and npy always are."""
    assert offered() == (JSON, *ENCODERS)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert offered.__wrapped__() == (JSON, CSV, NPY)
