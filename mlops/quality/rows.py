"""Reads predictions and truths: one row each, with the request it belongs to and its place there.

The frames have the column ``value``, and of ``request``, ``row``, ``time`` and ``block`` what the
file has. A file of values alone, such as what ``mlops score`` prints, has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd

from azureml_scoring.errors import StartupError
from mlops import sample_file
from mlops.cell_inference import parsed_cells

AZURE_COLUMN = "correlationid"
REQUEST_COLUMNS = ("request_id", AZURE_COLUMN)
"""Ours, and that of Azure ML's data collector."""

INDEXED = r"^(.+)_(\d{1,9})$"
"""A row's id in a truth that was written for Azure ML's monitor: the request's, and the row."""

PREDICTION, TRUTH = "prediction", "truth"


def read(files: Sequence[Path], column: str, block: str | None) -> pd.DataFrame:
    """Read the values of a column. ``block``: of a column that says which rows are alike, if a file
    has it. Raises StartupError."""
    frames = [_frame(file, column, block) for file in files]
    odd = next((place for place, f in enumerate(frames) if {*f.columns} ^ {*frames[0].columns}), 0)
    if odd:
        raise StartupError(
            f"{files[odd]} has other columns than {files[0]}; give files of one form."
        )
    return pd.concat(frames, ignore_index=True)


def _frame(file: Path, column: str, block: str | None) -> pd.DataFrame:
    table = _table(file)
    if column not in table and len(table.columns) == 1:
        table.columns = pd.Index([column])
    if column not in table:
        raise StartupError(
            f"{file} has no column {column}, only {', '.join(map(str, table.columns))}; name the "
            f"right one by --{PREDICTION} or --{TRUTH}."
        )
    frame = pd.DataFrame({"value": [_plain(value) for value in table[column]]}, dtype=object)
    request = next((name for name in REQUEST_COLUMNS if name in table), None)
    if request is not None:
        if table[request].isna().any():
            raise StartupError(f"{file} has a row without {request}; leave such rows out.")
        frame["request"] = table[request].map(str)
        indexed = frame["request"].str.extract(INDEXED)
        if request == AZURE_COLUMN and "row" not in table and indexed.notna().all(axis=None):
            frame["request"], frame["row"] = indexed[0], indexed[1].astype(int)
        else:
            frame["row"] = _places(file, table, frame)
    if "time" in table:
        frame["time"] = pd.to_datetime(table["time"], utc=True, errors="coerce", format="ISO8601")
    if block in table:
        frame["block"] = table[block].map(str)
    return frame


def _table(file: Path) -> pd.DataFrame:
    """Read CSV, Parquet or JSON lines. Raises StartupError."""
    kind = file.suffix.lower()
    if kind in (".csv", ".parquet"):
        table = sample_file.load(file)
        if isinstance(table, pd.DataFrame):
            return table
        cells = [pd.Series(parsed_cells(column), dtype=object) for column in table.cells]
        return pd.DataFrame(dict(zip(table.columns, cells, strict=True)))
    if kind != ".jsonl":
        raise StartupError(f"{file} can't be read; give .csv, .parquet or .jsonl.")
    try:
        lines = sample_file.json_lines(file).values()
    except ValueError as error:
        raise StartupError(f"{file} is not JSON lines: {error}; correct the line.") from None
    # By itself pandas turns a column's classes 1, 2 into 1.0, 2.0 if one value is null.
    rows = pd.DataFrame([row for line in lines for row in _rows(file, line)], dtype=object)
    if rows.empty:
        raise StartupError(f"{file} has no rows; give one that has.")
    return rows


def _rows(file: Path, line: Any) -> list[dict[str, Any]]:
    """Return the rows of a line: a request that the service or Azure ML collected, an answer of the
    service, one row, or a value alone."""
    if not isinstance(line, dict):
        return [{PREDICTION: line}]
    metadata = line.get("metadata")
    request = {name: line[name] for name in (*REQUEST_COLUMNS, "time") if name in line}
    if isinstance(metadata, dict):
        request = {"request_id": metadata.get("request_id"), "time": metadata.get("timestamp")}
    answers, data = line.get("predictions"), line.get("data")
    if not isinstance(answers, list) and not isinstance(data, list):
        return [line]
    rows = data if isinstance(data, list) else [{}] * len(answers or ())
    if not all(isinstance(row, dict) for row in rows):
        raise StartupError(f"{file} has a row without column names; give an object for each.")
    if isinstance(answers, list):
        if len(answers) != len(rows):
            raise StartupError(f"{file} has a request with more rows or fewer than predictions.")
        rows = [row | {PREDICTION: answer} for row, answer in zip(rows, answers, strict=True)]
    return [row | request | {"row": place} for place, row in enumerate(rows)]


def _places(file: Path, table: pd.DataFrame, frame: pd.DataFrame) -> Any:
    """Return each row's place in its request, from 0; by its order if the file has no ``row``."""
    if "row" not in table:
        return frame.groupby("request").cumcount()
    places = pd.to_numeric(table["row"], errors="coerce")
    if not (places.ge(0) & places.mod(1).eq(0)).all():
        raise StartupError(f"{file} has a row number that is none; count rows from 0.")
    return places.astype(int)


def _plain(value: Any) -> Any:
    """Return a scalar or a list as JSON has it; None for a missing one."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str) and value.startswith("["):  # probabilities in a CSV's cell
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value if isinstance(value, list | dict) or not pd.isna(value) else None
