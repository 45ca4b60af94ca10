"""Reads a CSV as text: column names, and each cell as it stands."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.separators import other_separator
from mlops.cell_inference import is_number
from mlops.column_types import BadCell, typed

MAX_CELL_CHARACTERS = 2**31 - 1

ColumnTypes = dict[str | int, Feature]
"""Column -> its type, by name, or by place if there are no names."""


@dataclass(frozen=True)
class CsvFile:
    """A CSV's text.

    columns: names, or 0, 1, 2, ... if the file has none.
    cells: by column.
    lines: the line number of each row.
    """

    path: Path
    columns: Sequence[str | int]
    cells: list[list[str]]
    lines: list[int]

    @classmethod
    def read(cls, path: Path) -> CsvFile:
        """Read comma separated UTF-8, with or without a byte order mark.

        Raises StartupError, which names the line.
        """
        csv.field_size_limit(MAX_CELL_CHARACTERS)
        try:
            with path.open(
                encoding="utf-8-sig", newline="\n"
            ) as file:  # a lone \r outside of quotes is an error then
                return _parsed(path, _rows(path, file))
        except UnicodeDecodeError:
            raise StartupError(f"{path} is not in UTF-8; save it as a CSV in UTF-8.") from None

    def frame(self, types: ColumnTypes | None = None) -> pd.DataFrame:
        """Convert each column to its type, or to the one that its cells suggest.

        Raises StartupError, which names the line.
        """
        columns = {}
        for name, cells in zip(self.columns, self.cells, strict=True):
            try:
                columns[name] = typed(cells, (types or {}).get(name))
            except BadCell as bad:
                raise StartupError(
                    f"Line {self.lines[bad.row]} of {self.path}: column {name} must be "
                    f"{bad.requirement}; correct the cell, or leave it empty where the value is "
                    f"missing."
                ) from None
        return pd.DataFrame(columns)

    def drop(self, columns: Sequence[str | int]) -> CsvFile:
        kept = [place for place, name in enumerate(self.columns) if name not in columns]
        return replace(
            self, columns=[self.columns[j] for j in kept], cells=[self.cells[j] for j in kept]
        )

    def by_column(self, features: Sequence[Feature]) -> ColumnTypes:
        """Return features by column name; by place if the file or the features have no names."""
        unnamed = any(isinstance(name, int) for name in self.columns) or any(
            f.name is None for f in features
        )
        if unnamed:
            return (
                dict(zip(self.columns, features, strict=True))
                if len(features) == len(self.columns)
                else {}
            )
        return {feature.name: feature for feature in features if feature.name is not None}

    def user_types(self, types: Mapping[str, Feature]) -> ColumnTypes:
        """Return the user's types by column. Raises StartupError if the file lacks a column."""
        columns = {str(name): name for name in self.columns}
        if unknown := [name for name in types if name not in columns]:
            raise StartupError(
                f"--text or --dtype names {', '.join(unknown)}, which {self.path} lacks; it has "
                f"{', '.join(columns)}."
            )
        return {columns[name]: feature for name, feature in types.items()}


def _rows(path: Path, lines: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of each row. Raises StartupError."""
    reader = csv.reader(lines, strict=True)
    line = 0
    try:
        for row in reader:
            line = reader.line_num
            yield line, row
    except csv.Error:
        raise StartupError(
            f"The row that begins in line {line + 1} of {path} is not CSV: a quote in it is not "
            f"closed or not doubled, or a line end is not in quotes; save the file again, or "
            f"correct the row."
        ) from None


def _parsed(path: Path, rows: Iterator[tuple[int, list[str]]]) -> CsvFile:
    line, first = next(((line, row) for line, row in rows if row), (0, []))
    if not first:
        raise StartupError(f"{path} is empty; give a header and rows.")
    names = _names(path, first)
    as_wide_as = f"the header has {len(first)} names"
    if not names:
        rows = itertools.chain([(line, first)], rows)
        as_wide_as = f"the first row has {len(first)}"
    lines, cells = _cells(path, rows, len(first), as_wide_as)
    return CsvFile(path, names or list(range(len(first))), cells, lines)


def _names(path: Path, first: Sequence[str]) -> Sequence[str | int]:
    """Return the header's names; empty if the first row is data.

    0, 1, 2, ... are names: pandas writes them for columns that have none.
    """
    if separator := other_separator(first):
        raise StartupError(
            f"{path} separates values by {separator}; save it with commas, and points in its "
            f"numbers."
        )
    if list(first) == list(map(str, range(len(first)))):
        if len(first) < 3:
            raise StartupError(
                f"The first line of {path} ({','.join(first)}) may be names or values; give the "
                f"columns names."
            )
        return list(range(len(first)))
    if all(map(is_number, first)):
        return []
    names = [
        name or f"Unnamed: {place}" for place, name in enumerate(first)
    ]  # as pandas calls a column without a name
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise StartupError(f"The header of {path} names the column {twice} twice; rename one.")
    return names


def _cells(
    path: Path, rows: Iterator[tuple[int, list[str]]], width: int, as_wide_as: str
) -> tuple[list[int], list[list[str]]]:
    """Return line numbers and cells by column.

    A blank line is not a row, except in a single column: there it is a missing value, unless
    nothing comes after it.
    """
    lines: list[int] = []
    kept: list[list[str]] = []
    last = 0
    for line, row in rows:
        if not row and width > 1:
            continue
        if row and len(row) != width:
            raise StartupError(
                f"Line {line} of {path} has {len(row)} value{'s' * (len(row) > 1)}, {as_wide_as}; "
                f"correct the line, and "
                f"put a text with commas in quotes."
            )
        lines.append(line)
        kept.append(row or [""])
        last = len(kept) if row else last
    cells = [[row[column] for row in kept[:last]] for column in range(width)]
    return lines[:last], cells
