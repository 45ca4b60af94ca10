"""What the cells of a CSV's column are: texts, numbers, booleans or categories.

Known where a contract, the estimator's fit or the user tells; else inferred, and then a column is
text unless each cell that is not empty is a number, or each is true or false. Only an empty cell is
missing. Among numbers and booleans the words that usually stand for nothing are missing too: they
can mean nothing else there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from azureml_scoring.inputs.contract import ANY, BOOLEAN, CATEGORY, DATETIME, TEXT, Feature
from azureml_scoring.models.estimators.known_values import NUMBER
from validation import moment

MISSING_WORDS = {"", "NA", "N/A", "n/a", "<NA>", "#N/A", "NaN", "nan", "NULL", "null", "None"}
BOOLEANS = {"true": True, "false": False}
BOOLEANS_AND_BITS = BOOLEANS | {"1": True, "0": False}
PLAIN_NUMBER = re.compile(
    r"\s*(-?(0|[1-9]\d*)?(?(2)(\.\d*)?|\.\d+)([eE][+-]?\d+)?|-?inf)\s*", re.ASCII
)
"""A number that is not a code: without leading zeros or a plus."""

DIGITS = re.compile(r"\s*[+-]?\d+(\.\d*)?\s*", re.ASCII)
WHOLE_NUMBER = re.compile(r"\s*-?\d+\s*", re.ASCII)
MAX_EXACT_INTEGER = 2**53
"""Up to here a float64 holds each whole number."""


class BadCell(Exception):
    """``row``: from 0. ``wanted``: what its column takes."""

    def __init__(self, row: int, wanted: str) -> None:
        super().__init__(wanted)
        self.row = row
        self.wanted = wanted


def typed(cells: Sequence[str], known: Feature | None = None) -> pd.Series:
    """Raises BadCell."""
    dtype = known.dtype if known else ANY
    if dtype == ANY or (dtype == NUMBER and inferred(cells) == BOOLEAN):
        dtype = inferred(cells)
    if dtype == CATEGORY:
        return _categories(cells, known.categories if known else ())
    if dtype == BOOLEAN:
        return _booleans(cells)
    if dtype == DATETIME:
        return _moments(cells)
    if dtype == NUMBER:
        return _numbers(cells)
    if dtype.startswith(("int", "uint")):
        return _whole_numbers(cells, "uint64" if dtype.startswith("u") else "int64")
    return pd.Series(_floats(cells)) if dtype.startswith("float") else _texts(cells)


def inferred(cells: Collection[str]) -> str:
    """TEXT, BOOLEAN or NUMBER. Whole numbers that a float or an int64 does not hold are texts: they
    are codes."""
    given = set(cells)
    gaps = "" in given
    given.discard("")
    if 0 < len(given) < 7 and {cell.lower() for cell in given} <= BOOLEANS.keys():
        return BOOLEAN
    if not all(map(PLAIN_NUMBER.fullmatch, given)):
        return TEXT
    whole = [int(cell) for cell in given if WHOLE_NUMBER.fullmatch(cell)]
    limit = 2**63 - 1 if len(whole) == len(given) and not gaps else MAX_EXACT_INTEGER
    return NUMBER if all(abs(value) <= limit for value in whole) else TEXT


def is_number(cell: str) -> bool:
    return bool(PLAIN_NUMBER.fullmatch(cell))


def are_codes(cells: Collection[str]) -> bool:
    """Each could be read as a number and is kept as text."""
    given = {*cells} - {""}
    return bool(given) and all(map(DIGITS.fullmatch, given)) and inferred(cells) == TEXT


def parsed_cells(cells: Sequence[str]) -> list[Any]:
    """Read each cell by itself, as JSON may hold it: a number, a boolean or a text; None for a
    missing one."""
    values = {cell: _by_itself(cell) for cell in {*cells}}
    return [values[cell] for cell in cells]


def _by_itself(cell: str) -> Any:
    if cell in MISSING_WORDS:
        return None
    if not is_number(cell):
        return BOOLEANS.get(cell.lower(), cell)
    number = float(cell)
    if not math.isfinite(number):
        return cell
    return (
        int(cell) if WHOLE_NUMBER.fullmatch(cell) and abs(number) <= MAX_EXACT_INTEGER else number
    )


def stray_cells(cells: Sequence[str]) -> list[int]:
    """Rows of the cells that alone keep a column from being numbers; none where few others are
    numbers."""
    other = {cell for cell in {*cells} - {""} if not is_number(cell)}
    rows = [row for row, cell in enumerate(cells) if cell in other]
    numbers = len(cells) - cells.count("") - len(rows)
    return rows if numbers > len(rows) else []


def _texts(cells: Sequence[str]) -> pd.Series:
    return pd.Series([cell or np.nan for cell in cells], dtype=object).infer_objects()


def _booleans(cells: Sequence[str]) -> pd.Series:
    return pd.Series(_each(cells, _bool, "true or false"), dtype=object).infer_objects()


def _moments(cells: Sequence[str]) -> pd.Series:
    def read(cell: str) -> np.datetime64:
        if (known := moment(cell.strip())) is None:
            raise ValueError(cell)
        return np.datetime64(known, "ns")

    wanted = "a date or time in ISO 8601 without a zone"
    return pd.Series(
        np.array(_each(cells, read, wanted, missing=np.datetime64("NaT")), dtype="datetime64[ns]")
    )


def _numbers(cells: Sequence[str]) -> pd.Series:
    if all(map(WHOLE_NUMBER.fullmatch, {*cells})):
        values = np.array([*map(int, cells)])
        if values.dtype.kind == "i":
            return pd.Series(values)
    return pd.Series(_floats(cells))


def _floats(cells: Sequence[str]) -> np.ndarray:
    try:
        values = [np.nan if cell in MISSING_WORDS else _float(cell) for cell in cells]
    except ValueError:
        values = _each(cells, _float, "a number")  # which tells where
    return np.array(values, dtype=np.float64)


def _whole_numbers(cells: Sequence[str], dtype: str) -> pd.Series:
    limits = np.iinfo(dtype)

    def whole(cell: str) -> int:
        value = _int(cell)
        if not limits.min <= value <= limits.max:
            raise ValueError(cell)
        return value

    values = _each(cells, whole, f"a whole number that fits {dtype}", missing=None)
    missing = np.array([value is None for value in values])
    array = np.array([value or 0 for value in values], dtype=dtype)
    return pd.Series(pd.arrays.IntegerArray(array, missing) if missing.any() else array)


def _categories(cells: Sequence[str], categories: Sequence[Any]) -> pd.Series:
    if not categories:
        return typed(cells).astype("category")
    known = {str(category): category for category in categories}
    numbers = {
        float(c): c for c in categories if isinstance(c, int | float) and not isinstance(c, bool)
    }

    def category(cell: str) -> Any:
        return known[cell] if cell in known else numbers[_float(cell)]

    words = MISSING_WORDS if numbers else {""}
    found = _each(
        cells,
        category,
        f"one of the {len(categories)} categories of the fit",
        missing=None,
        words=words,
    )
    return pd.Series(pd.Categorical(found, categories=list(categories)))


def _each(
    cells: Sequence[str],
    read: Callable[[str], Any],
    wanted: str,
    *,
    missing: Any = np.nan,
    words: Collection[str] = MISSING_WORDS,
) -> list[Any]:
    """Reads each different cell once. Raises BadCell for the first that can't be read."""
    values: dict[str, Any] = {}
    bad = []
    for cell in {*cells}:
        try:
            values[cell] = missing if cell in words else read(cell)
        except (ValueError, KeyError):
            bad.append(cells.index(cell))
    if bad:
        raise BadCell(min(bad), wanted)
    return [values[cell] for cell in cells]


def _bool(cell: str) -> bool:
    return BOOLEANS_AND_BITS[cell.strip().lower()]


def _float(cell: str) -> float:
    if "_" in cell or not cell.isascii():  # which Python would take
        raise ValueError(cell)
    return float(cell)


def _int(cell: str) -> int:
    if WHOLE_NUMBER.fullmatch(cell):
        return int(cell)
    value = _float(cell)
    if not value.is_integer():
        raise ValueError(cell)
    return int(value)
