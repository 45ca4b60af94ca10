"""The rows of a request, from a DataFrame, a list of lists, a list of dicts or a 2-D array."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    import pandas as pd


def is_frame(rows: Any) -> TypeGuard[pd.DataFrame]:
    """Whoever passes a DataFrame has imported pandas; nobody else has to."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(rows, pandas.DataFrame)


def table_of(rows: Any, start: int, stop: int) -> Any:
    """Return what stands under ``input_data`` for those rows, in the smallest of the forms.

    Raises ValueError for values that JSON does not have. Missing values become null.
    """
    if is_frame(rows):
        return _frame_table(rows.iloc[start:stop], start)
    part = rows[start:stop]
    if hasattr(part, "tolist"):  # a numpy array
        part = part.tolist()
    if isinstance(part[0], Mapping):
        return _records_table(part, start)
    return [_row(row, start + place) for place, row in enumerate(part)]


def _frame_table(frame: pd.DataFrame, start: int) -> Any:
    columns = [_column(frame.iloc[:, place]) for place in range(frame.shape[1])]
    data = [_row(row, start + place) for place, row in enumerate(zip(*columns, strict=True))]
    names = list(frame.columns)
    return {"columns": names, "data": data} if all(isinstance(n, str) for n in names) else data


def _column(column: pd.Series) -> list[Any]:
    values = column.astype(object)
    plain: list[Any] = values.where(column.notna(), None).tolist()
    return plain


def _records_table(records: Sequence[Mapping[str, Any]], start: int) -> Any:
    """Records with the same keys are sent once with their names: that is smaller."""
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
    if isinstance(row, str | bytes) or not hasattr(row, "__iter__"):
        raise ValueError(
            f"Row {place} is not a row; give a list of lists, a list of dicts or a DataFrame."
        )
    return [_plain(value, place) for value in row]


def _plain(value: Any, place: int) -> Any:
    if hasattr(value, "isoformat"):  # a date, or pandas' Timestamp
        return value.isoformat()
    if hasattr(value, "item"):  # a numpy scalar
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        if math.isinf(value):
            raise ValueError(f"Row {place} holds an infinite number; JSON has none.")
        return None
    return value
