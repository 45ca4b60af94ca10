"""The rows of a request, from a DataFrame, a list of lists, a list of dicts or a 2-D array."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    import pandas as pd


PLAIN_TYPES = (str, int, bool, type(None))
"""Of nearly all values, with finite floats."""


def is_frame(rows: Any) -> TypeGuard[pd.DataFrame]:
    """Whoever passes a DataFrame has imported pandas; nobody else has to."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(rows, pandas.DataFrame)


def count_of(rows: Any) -> int:
    """Return the number of rows. Raises ValueError for what is none of the four: iterating over
    other libraries' tables gives their columns."""
    is_list = isinstance(rows, Sequence) and not isinstance(rows, str | bytes)
    is_array = hasattr(rows, "tolist") and getattr(rows, "ndim", 0) == 2
    if not (is_frame(rows) or is_list or is_array):
        raise ValueError(
            "Give a list of lists, a list of dicts, a 2-D array or a DataFrame of pandas."
        )
    return len(rows)


def table_of(rows: Any, start: int, stop: int) -> Any:
    """Return what stands under ``input_data`` for those rows, in the smallest of the forms.

    Raises ValueError for values that JSON does not have. Missing values become null.
    """
    if is_frame(rows):
        return _frame_table(rows.iloc[start:stop], start)
    part = rows[start:stop]
    if hasattr(part, "tolist"):
        part = _python(part)
    if isinstance(part[0], Mapping):
        return _records_table(part, start)
    return [_row(row, start + place) for place, row in enumerate(part)]


def _frame_table(frame: pd.DataFrame, start: int) -> Any:
    cells = frame.astype(object).to_numpy(copy=True)
    cells[frame.isna().to_numpy()] = None
    data = [_row(row, start + place) for place, row in enumerate(cells.tolist())]
    names: list[Any] = list(frame.columns)
    if all(isinstance(name, str) for name in names):
        return {"columns": names, "data": data}
    if names == list(range(len(names))):  # pandas' own, of a frame without names
        return data
    raise ValueError(
        "The DataFrame's column names are not texts; name them as the model does "
        "(frame.columns = [...]), or give frame.to_numpy() for values in the order of the fit."
    )


def _records_table(records: Sequence[Mapping[str, Any]], start: int) -> Any:
    """Records with the same keys are sent once with their names: that is smaller."""
    for place, record in enumerate(records):
        if not isinstance(record, Mapping):
            raise _not_a_row(start + place)
    names = list(records[0])
    if all(record.keys() == records[0].keys() for record in records):
        data = [
            _row([record[name] for name in names], start + place)
            for place, record in enumerate(records)
        ]
        return {"columns": names, "data": data}
    return [
        dict(zip(record, _row(record.values(), start + place), strict=True))
        for place, record in enumerate(records)
    ]


def _row(row: Any, place: int) -> list[Any]:
    if isinstance(row, str | bytes | Mapping) or not hasattr(row, "__iter__"):
        raise _not_a_row(place)
    return [_plain(value, place) for value in row]


def _not_a_row(place: int) -> ValueError:
    return ValueError(
        f"Row {place} is not a row; give a list of lists, a list of dicts or a DataFrame."
    )


def _plain(value: Any, place: int) -> Any:
    if type(value) in PLAIN_TYPES or (type(value) is float and math.isfinite(value)):
        return value
    if hasattr(value, "tolist"):
        value = _python(value)
    if _is_missing(value):
        return None
    if hasattr(value, "isoformat"):  # a date, or pandas' Timestamp
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        if math.isinf(value):
            raise ValueError(f"Row {place} holds an infinite number; JSON has none.")
        return None
    if value is None or isinstance(value, str | int | float | list | tuple | dict):
        return value
    raise ValueError(
        f"Row {place} holds a value of the type {type(value).__name__}, which JSON does not have; "
        "make it a number or a text."
    )


def _python(values: Any) -> Any:
    """Return the Python values of a numpy array or scalar."""
    kind = getattr(getattr(values, "dtype", None), "kind", "")
    # Times in nanoseconds would become integers.
    return (values.astype(f"{kind}8[us]") if kind in ("M", "m") else values).tolist()


def _is_missing(value: Any) -> bool:
    """True for pandas' own missing values."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and (value is pandas.NaT or value is pandas.NA)
