"""Turns a file of rows into requests of at most 100 rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.feature import ANY, TEXT, Feature
from mlops import sample, sample_file
from mlops.cell_inference import parsed_cells
from mlops.csv_file import ColumnTypes, CsvFile
from mlops.read_as import listed
from mlops.rows_request import ROWS, RowsRequest

BLOCK_ROWS = 100 * ROWS
"""Rows taken from pandas at a time. Each time costs about as much as a hundred rows."""


def batches(
    path: Path,
    features: Sequence[Feature] = (),
    declared: Mapping[str, Feature] | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> list[RowsRequest]:
    """Read CSV, JSON lines or Parquet as requests of at most 100 rows. Raises StartupError.

    ``features``: those of the model's contract. ``declared``: those that the user declared. Both
    say how to read a CSV's columns.
    """
    table = sample_file.load(path)
    frame = sample.typed_frame(table, features, declared)
    types = check_json(frame, path)
    if isinstance(table, CsvFile) and (guessed := _guessed(frame, types, features, declared or {})):
        say(
            f"note: by their cells, {listed(guessed)} are read as numbers or booleans, and the "
            "model does not say whether it takes text there; if it does, add --text COLUMN"
        )
    known = (
        table.by_column(features) | table.user_types(declared or {})
        if isinstance(table, CsvFile)
        else {}
    )
    return list(_split(frame, _lines(path, table), _mixed(table, types, known)))


def _lines(path: Path, table: CsvFile | pd.DataFrame) -> Sequence[int]:
    """Return the line of each row in the file; empty for a file without lines."""
    if isinstance(table, CsvFile):
        return table.lines
    if path.suffix.lower() == ".jsonl":
        return [
            number for number, line in enumerate(path.read_bytes().splitlines(), 1) if line.strip()
        ]
    return ()


def _mixed(
    table: CsvFile | pd.DataFrame, types: Sequence[Feature], known: ColumnTypes
) -> dict[int, list[Any]]:
    """Return the cells of a CSV's columns that are text only because some of their cells are."""
    if not isinstance(table, CsvFile):
        return {}
    texts = [
        place
        for place, (name, feature) in enumerate(zip(table.columns, types, strict=True))
        if feature.dtype == TEXT and (name not in known or known[name].dtype == ANY)
    ]
    read = {place: parsed_cells(table.cells[place]) for place in texts}
    return {
        place: values
        for place, values in read.items()
        if not all(isinstance(v, str | None) for v in values)
    }


def check_json(frame: pd.DataFrame, path: Path) -> tuple[Feature, ...]:
    """Return what the columns hold. Raises StartupError for values that JSON can't hold."""
    types = sample.features_of(frame)
    infinite = np.isinf(frame.select_dtypes("number").to_numpy(float, na_value=np.nan))
    if infinite.any():
        raise StartupError(
            f"Row {infinite.any(axis=1).argmax() + 1} of {path} holds "
            "an infinite number; JSON has none."
        )
    return types


def _guessed(
    frame: pd.DataFrame,
    types: Sequence[Feature],
    features: Sequence[Feature],
    declared: Mapping[str, Feature],
) -> list[str]:
    """Return the columns whose type the model leaves open and whose cells are not text."""
    left_open = {
        str(place) if f.name is None else f.name
        for place, f in enumerate(features)
        if f.dtype == ANY
    }
    names = [str(name) for name in frame.columns]
    return [
        name
        for name, column in zip(names, types, strict=True)
        if name in left_open and name not in declared and column.dtype not in (TEXT, ANY)
    ]


def _split(
    frame: pd.DataFrame, lines: Sequence[int], mixed: Mapping[int, Sequence[Any]]
) -> Iterator[RowsRequest]:
    named = all(isinstance(name, str) for name in frame.columns)
    for block in range(0, len(frame), BLOCK_ROWS):
        rows = sample.rows_of(frame.iloc[block : block + BLOCK_ROWS])
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            table = {"columns": list(frame.columns), "data": part} if named else part
            here = slice(block + start, block + start + len(part))
            yield RowsRequest(
                orjson.dumps({"input_data": table}),
                here.start + 1,
                len(part),
                lines[here],
                {column: values[here] for column, values in mixed.items()},
            )
