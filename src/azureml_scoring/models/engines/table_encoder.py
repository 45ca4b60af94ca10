"""Turns the values of a mixed batch into the floats that a graph takes, by look-ups in tables."""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from typing import Any

import numpy as np

from azureml_scoring.models.engines.column_tables import ColumnTables, ValueTable, is_missing
from azureml_scoring.models.engines.text_sums import TextEncoder

UNKNOWN, REFUSED = -1, -2
"""In place of a group: not in the table, and the estimator's to refuse."""

MAX_QUICK_CHARACTERS = 20_000
"""Characters of texts that take a few milliseconds, if each word is one term."""

CHARACTERS_PER_TEXT = 300
"""What a text takes beside its characters: as long as so many."""


class TableEncoder:
    """``encode(X)`` -> floats, and which rows they are proven for."""

    def __init__(self, tables: ColumnTables) -> None:
        self.numbers = len(tables.numbers)
        self._width = tables.width
        self._number_columns = [number.column for number in tables.numbers]
        self._filled = [
            (place, number.fill)
            for place, number in enumerate(tables.numbers)
            if number.fill is not None
        ]
        self._fills = np.array([number.fill for number in tables.numbers], dtype=np.float64)
        self._gaps = list(tables.gaps)
        self._lookups = [_Lookup(table) for table in tables.tables]
        self._row_lookups = [(lookup.column, lookup.row_of, lookup) for lookup in self._lookups]
        self._texts = [(text.column, TextEncoder(text)) for text in tables.texts]

    def quick(self, X: np.ndarray) -> bool:
        """Tell whether the texts of a batch are short enough for the event loop."""
        left = MAX_QUICK_CHARACTERS
        for column, encoder in self._texts:
            characters = sum(map(len, filter(None, X[:, column])))
            left -= encoder.terms_per_word * characters + CHARACTERS_PER_TEXT * len(X)
        return left >= 0

    def encode(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return floats (rows, width), and a mask of the rows without a value that the estimator
        refuses; None if there is none. ``X``: objects, (rows, features)."""
        if len(X) == 1:
            floats = self._row(X[0].tolist())
            if floats is not None:
                return np.array([floats], dtype=np.float64), None
        return self._rows(X)

    def _row(self, row: list[Any]) -> list[float] | None:
        """Return one row's floats: for so few, lists are quicker than arrays."""
        floats = [row[column] for column in self._number_columns]
        for place, fill in self._filled:
            if floats[place] != floats[place]:
                floats[place] = fill
        for column in self._gaps:
            floats.append(float(is_missing(row[column])))
        for column, row_of, lookup in self._row_lookups:
            cells = row_of(row[column])
            if cells is None:
                cells = lookup.rare_row(row[column])
                if cells is None:
                    return None
            floats += cells
        for column, encoder in self._texts:
            text = row[column]
            if type(text) is not str:
                return None
            floats += encoder([text])[0].tolist()
        return floats

    def _rows(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        columns = X.T.tolist()
        floats, known = np.empty((len(X), self._width)), None
        end = self.numbers
        if end:
            floats[:, :end] = np.array([columns[j] for j in self._number_columns], np.float64).T
        if self._filled:
            numbers = floats[:, :end]
            np.copyto(numbers, self._fills, where=np.isnan(numbers))
        for column in self._gaps:
            floats[:, end] = [is_missing(value) for value in columns[column]]
            end += 1
        for lookup in self._lookups:
            groups, refused = lookup.groups(columns[lookup.column])
            if refused is not None:
                known = ~refused if known is None else known & ~refused
            floats[:, end : end + lookup.width] = lookup.floats.take(groups, axis=0)
            end += lookup.width
        for column, encoder in self._texts:
            # Only the estimator knows what to say of a missing text.
            texts = np.array([type(value) is str for value in columns[column]])
            known = texts if known is None else known & texts
            floats[texts, end : end + encoder.width] = encoder(
                [value for value in columns[column] if type(value) is str]
            )
            end += encoder.width
        return floats, None if known is None or known.all() else known


class _Lookup:
    """One table, ready to look up.

    row_of: value -> the floats, as a tuple; None if it is not in the table.
    """

    def __init__(self, table: ValueTable) -> None:
        self.column, self.width = table.column, table.width
        floats = table.floats()
        # The last rows, which UNKNOWN and REFUSED point to, are never answered from.
        self.floats = np.vstack([floats, np.zeros((2, table.width))])
        self._groups = dict(zip(table.values, table.groups, strict=True))
        if table.missing is not None:
            self._groups[None] = table.missing  # type: ignore[index]
        rows = [tuple(row) for row in floats.tolist()]
        self.row_of: Callable[[Any], tuple[float, ...] | None] = {
            value: rows[group] for value, group in self._groups.items()
        }.get
        self._other = REFUSED if table.other is None else table.other
        self._missing = REFUSED if table.missing is None else table.missing
        self._group_rows = [*rows, None, None]

    def rare_row(self, value: Any) -> tuple[float, ...] | None:
        """Return the floats of a value that is not in the table; None if it is refused."""
        return self._group_rows[self._rare(value)]

    def groups(self, values: list[Any]) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the groups of a column's values, and a mask of refused ones, or None."""
        groups = np.fromiter(map(self._groups.get, values, repeat(UNKNOWN)), np.intp, len(values))
        if groups.min() != UNKNOWN:
            return groups, None
        for place in np.flatnonzero(groups == UNKNOWN):
            groups[place] = self._rare(values[place])
        refused = groups == REFUSED
        return groups, refused if refused.any() else None

    def _rare(self, value: Any) -> int:
        return self._missing if is_missing(value) else self._other
