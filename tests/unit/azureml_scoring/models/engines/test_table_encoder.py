import json
from typing import Any

import numpy as np
import pytest

from azureml_scoring.errors import StartupError
from azureml_scoring.models.engines.column_tables import ColumnTables, Number, ValueTable
from azureml_scoring.models.engines.table_encoder import TableEncoder

CITY = ValueTable(
    column=1,
    values=("Oslo", "Rome", "Paris"),
    groups=(0, 1, 1),
    other=2,
    missing=3,
    width=2,
    cells=((0, 0, 1.0), (1, 1, 1.0), (3, 0, None)),
)
CODE = ValueTable(2, (3, 5), (0, 1), None, None, 1, ((0, 0, -1.5),))
TABLES = ColumnTables((Number(0, 7.0), Number(0)), (0,), (CITY, CODE))


def objects(*rows: list[Any]) -> np.ndarray:
    X = np.empty((len(rows), len(rows[0])), dtype=object)
    X[:] = rows
    return X


ROWS: dict[str, tuple[list[Any], list[float]]] = {
    "known": ([1.5, "Oslo", 3], [1.5, 1.5, 0, 1, 0, -1.5]),
    "in a group": ([2**60, "Paris", 5], [2.0**60, 2.0**60, 0, 0, 1, 0]),
    "unknown": ([-1.0, "oslo", 5], [-1, -1, 0, 0, 0, 0]),
    "missing": ([float("nan"), None, 3.0], [7, np.nan, 1, np.nan, 0, -1.5]),
}


@pytest.mark.parametrize("name", ROWS)
def test_each_value_becomes_the_floats_of_its_table(name: str):
    """Known values, others and missing ones; gaps among numbers are filled or marked."""
    row, expected = ROWS[name]
    floats, known = TableEncoder(TABLES).encode(objects(row))
    assert known is None
    np.testing.assert_array_equal(floats, [expected])


def test_rows_together_give_the_same_floats_as_alone():
    """One row is looked up in another way, because lists are quicker than arrays then."""
    floats, known = TableEncoder(TABLES).encode(objects(*(row for row, _ in ROWS.values())))
    assert known is None
    np.testing.assert_array_equal(floats, [expected for _, expected in ROWS.values()])


@pytest.mark.parametrize("value", [4, 3.5, np.nan, None])
def test_values_that_the_estimator_refuses_are_told_apart(value: Any):
    """The other rows of a batch are not affected."""
    rows = objects([1.0, "Rome", 3], [1.0, "Rome", value])
    for X, expected in ((rows, [True, False]), (rows[1:], [False])):
        _, known = TableEncoder(TABLES).encode(X)
        assert known is not None
        assert known.tolist() == expected


def test_numbers_alone_or_texts_alone_are_encoded_too():
    """A model need not have columns of both kinds."""
    numbers = TableEncoder(ColumnTables((Number(0),), (), ()))
    texts = TableEncoder(ColumnTables((), (), (CITY,)))
    for count in (1, 3):
        rows = objects(*[[1.0, "Rome"]] * count)
        assert numbers.encode(rows)[0].tolist() == [[1.0]] * count
        assert texts.encode(rows)[0].tolist() == [[0.0, 1.0]] * count


def test_tables_are_read_as_they_were_written():
    """Whole numbers stay whole, NaN stays NaN."""
    assert ColumnTables.of(TABLES.to_bytes(), "tables.json") == TABLES


@pytest.mark.parametrize(
    "change",
    [
        {"values": ["Oslo"]},
        {"groups": [0, -1, 1]},
        {"cells": [[9, 0, 1.0]]},
        {"cells": [[0, 0, "1"]]},
        {"width": None},
        {"values": [], "groups": [], "other": None, "missing": None},
    ],
    ids=["counts", "negative", "beyond", "text", "no width", "empty"],
)
def test_damaged_tables_stop_the_start(change: dict[str, Any]):
    """The error says what to do."""
    document = json.loads(TABLES.to_bytes())
    document["tables"][0] |= change
    with pytest.raises(StartupError, match=r"tables\.json is damaged .* package the model again"):
        ColumnTables.of(json.dumps(document).encode(), "tables.json")
