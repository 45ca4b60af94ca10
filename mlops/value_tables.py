"""Asks a fitted transformer for each value that its columns may have, and keeps the answers.

A transformer that works on one column at a time, with values it knows from its fit, is a table:
known values, all others, and missing ones. One that reads a text's letters is not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from azureml_scoring.models.engines.column_tables import ValueTable
from mlops.finite_columns import FiniteColumn

MAX_CELLS = 4_000_000
"""Floats of one table; more would take longer to load than they save."""

MAX_COLUMNS = 300
"""Columns of one transformer. It is asked about each, and gets all of them every time: the time
grows with the square, to minutes here."""

Transform = Callable[[np.ndarray], np.ndarray]
"""Rows of objects, with all features -> floats, (rows, outputs)."""


class NotByColumn(Exception):
    """A transformer is no table of its columns' values; the message says why in a few words."""


def tabulate(
    transform: Transform, columns: list[FiniteColumn], base: list[Any]
) -> tuple[list[ValueTable], list[tuple[int, int]]]:
    """Return a table for each column, and for each output its table and its place there.

    ``base``: a row that the transformer takes; all columns but one keep its values. Raises
    NotByColumn.
    """
    if len(columns) > MAX_COLUMNS:
        raise NotByColumn(f"it takes {len(columns):,} columns, too many for tables")
    (base_floats,) = _rows(transform, [base])
    if base_floats is None:
        raise NotByColumn("it refuses a row of the sample")
    outputs = [_Answers(transform, column, base, len(base_floats)) for column in columns]
    varying = np.array([answers.varying(base_floats) for answers in outputs])
    if (varying.sum(axis=0) > 1).any():
        raise NotByColumn("it computes with several columns at once")
    owners = varying.argmax(axis=0) if len(columns) else np.zeros(0, int)
    places = [np.flatnonzero(owners == number) for number in range(len(columns))]
    tables = [answers.table(own) for answers, own in zip(outputs, places, strict=True)]
    position = {
        output: (j, k) for j, own in enumerate(places) for k, output in enumerate(own.tolist())
    }
    return tables, [position[output] for output in range(len(base_floats))]


class _Answers:
    """What a transformer makes of the values of one column."""

    def __init__(
        self, transform: Transform, column: FiniteColumn, base: list[Any], width: int
    ) -> None:
        """Raises NotByColumn."""
        self._column = column
        count = len(column.known)
        if (count + 2) * width > MAX_CELLS:
            raise NotByColumn(f"{column.name} has {count:,} values, too many for a table")

        def asked(values: list[Any]) -> list[np.ndarray | None]:
            place = column.place
            return _rows(
                transform, [[*base[:place], value, *base[place + 1 :]] for value in values]
            )

        self._known = asked(column.known)
        # One refusal is enough: rows with such values are then the estimator's.
        (other,) = asked(column.others[:1]) or [None]
        others = [] if other is None else asked(column.others[1:])
        if any(row is None or other is None or not _same(row, other).all() for row in others):
            raise NotByColumn(f"it tells apart values of {column.name} that the fit did not have")
        self._other = other
        self._missing = asked(column.missing)[0] if column.missing else None

    def varying(self, base: np.ndarray) -> np.ndarray:
        """Return a mask of the outputs that depend on this column."""
        rows = [row for row in (*self._known, self._other, self._missing) if row is not None]
        varying: np.ndarray = np.any(~_same(np.array(rows).reshape(-1, len(base)), base), axis=0)
        return varying

    def table(self, outputs: np.ndarray) -> ValueTable:
        """Return the table of these outputs; values of equal floats are one group."""
        groups: dict[tuple[str, ...], int] = {}

        def group(row: np.ndarray | None) -> int | None:
            if row is None:
                return None
            own = (row[outputs] + 0.0).tolist()
            return groups.setdefault(tuple(map(repr, own)), len(groups))  # NaN is not equal to NaN

        other, missing = group(self._other), group(self._missing)
        numbers = list(map(group, self._known))
        taken = [
            (value, n)
            for value, n in zip(self._column.known, numbers, strict=True)
            if n not in (None, other)  # else the sample's values would be in the file
        ]
        cells = [
            (number, place, None if cell == "nan" else float(cell))
            for row, number in groups.items()
            for place, cell in enumerate(row)
            if cell != "0.0"
        ]
        return ValueTable(
            self._column.place,
            tuple(value for value, _ in taken),
            tuple(number for _, number in taken),
            other,
            missing,
            len(outputs),
            tuple(cells),
        )


def as_matrix(rows: list[list[Any]]) -> np.ndarray:
    """Return rows of objects, at least one, as a matrix."""
    X = np.empty((len(rows), len(rows[0])), dtype=object)
    X[:] = rows
    return X


def _rows(transform: Transform, rows: list[list[Any]]) -> list[np.ndarray | None]:
    """Return the floats of each row; None where the transformer refuses it. Raises NotByColumn."""
    if not rows:
        return []
    try:
        floats = transform(as_matrix(rows))
    except NotByColumn:
        raise
    except Exception:  # an encoder refuses values with exceptions of many kinds
        half = len(rows) // 2
        return [*_rows(transform, rows[:half]), *_rows(transform, rows[half:])] if half else [None]
    if np.isinf(floats).any():
        raise NotByColumn("it gives infinite numbers")
    return list(floats)


def _same(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    same: np.ndarray = np.isclose(one, other, rtol=0, atol=0, equal_nan=True)
    return same
