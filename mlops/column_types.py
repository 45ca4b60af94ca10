"""Turns a CSV column's cells into texts, numbers, booleans, datetimes or categories.

The type is that of a contract, the estimator's fit or the user, else ``cell_inference`` finds it.
An empty cell is missing. Among numbers and booleans MISSING_WORDS are missing too: they can't mean
anything else there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from azureml_scoring.inputs.cells import MISSING_WORDS
from azureml_scoring.inputs.feature import ANY, BOOLEAN, CATEGORY, DATETIME, Feature
from azureml_scoring.inputs.moment import moment
from azureml_scoring.models.estimators.known_values import NUMBER
from mlops.cell_inference import BOOLEANS, WHOLE_NUMBER, inferred

BOOLEANS_AND_BITS = BOOLEANS | {"1": True, "0": False}


class BadCell(Exception):
    """A cell that its column can't hold. ``row``: from 0. ``requirement``: what it must be."""

    def __init__(self, row: int, requirement: str) -> None:
        super().__init__(requirement)
        self.row = row
        self.requirement = requirement


def typed(cells: Sequence[str], known: Feature | None = None) -> pd.Series:
    """Return the cells as a column of the known type, else of the inferred one. Raises BadCell."""
    dtype = known.dtype if known else ANY
    if dtype == ANY or (dtype == NUMBER and inferred(cells) == BOOLEAN):
        dtype = inferred(cells)
    if dtype == CATEGORY:
        return _categories(cells, known or Feature(None, CATEGORY))
    if dtype == BOOLEAN:
        return _booleans(cells)
    if dtype == DATETIME:
        return _moments(cells)
    if dtype == NUMBER:
        return _numbers(cells)
    if dtype.startswith(("int", "uint")):
        return _whole_numbers(cells, "uint64" if dtype.startswith("u") else "int64")
    return pd.Series(_floats(cells)) if dtype.startswith("float") else _texts(cells)


def _texts(cells: Sequence[str]) -> pd.Series:
    return pd.Series([cell or np.nan for cell in cells], dtype=object).infer_objects()


def _booleans(cells: Sequence[str]) -> pd.Series:
    return pd.Series(_each(cells, _bool, "true or false"), dtype=object).infer_objects()


def _moments(cells: Sequence[str]) -> pd.Series:
    def read(cell: str) -> np.datetime64:
        if (known := moment(cell.strip())) is None:
            raise ValueError(cell)
        return np.datetime64(known, "ns")

    requirement = "a date or time in ISO 8601 without a zone"
    return pd.Series(
        np.array(
            _each(cells, read, requirement, missing=np.datetime64("NaT")), dtype="datetime64[ns]"
        )
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
        values = _each(cells, _float, "a number")  # raises BadCell with the place
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


def _categories(cells: Sequence[str], feature: Feature) -> pd.Series:
    categories = feature.categories
    if not categories:
        return typed(cells).astype("category")
    known = {str(category): category for category in categories}
    numbers = {
        float(c): c for c in categories if isinstance(c, int | float) and not isinstance(c, bool)
    }

    def category(cell: str) -> Any:
        if cell in known:
            return known[cell]
        if not feature.unseen:
            return numbers[_float(cell)]
        return numbers.get(_float(cell), _float(cell)) if numbers else cell

    words = MISSING_WORDS if numbers else {""}
    values = _each(
        cells,
        category,
        "a number" if feature.unseen else f"one of the {len(categories)} categories of the fit",
        missing=None,
        words=words,
    )
    present = [value for value in values if value is not None]
    return pd.Series(
        pd.Categorical(values, categories=list(dict.fromkeys([*categories, *present])))
    )


def _each(
    cells: Sequence[str],
    read: Callable[[str], Any],
    requirement: str,
    *,
    missing: Any = np.nan,
    words: Collection[str] = MISSING_WORDS,
) -> list[Any]:
    """Read each distinct cell once. Raises BadCell for the first that can't be read."""
    values: dict[str, Any] = {}
    bad = []
    for cell in {*cells}:
        try:
            values[cell] = missing if cell in words else read(cell)
        except (ValueError, KeyError):
            bad.append(cells.index(cell))
    if bad:
        raise BadCell(min(bad), requirement)
    return [values[cell] for cell in cells]


def _bool(cell: str) -> bool:
    return BOOLEANS_AND_BITS[cell.strip().lower()]


def _float(cell: str) -> float:
    if "_" in cell or not cell.isascii():  # Python's float accepts both
        raise ValueError(cell)
    return float(cell)


def _int(cell: str) -> int:
    if WHOLE_NUMBER.fullmatch(cell):
        return int(cell)
    value = _float(cell)
    if not value.is_integer():
        raise ValueError(cell)
    return int(value)
