"""Reads a file of rows: CSV, JSON, JSON lines, Parquet or .npy."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd

from azureml_scoring.errors import StartupError
from mlops.csv_file import CsvFile


def load(path: Path) -> CsvFile | pd.DataFrame:
    """Read CSV, JSON (a request body, or a list of objects), JSON lines, Parquet or .npy.

    Raises StartupError.
    """
    readers: dict[str, Callable[[Path], CsvFile | pd.DataFrame]] = {
        ".csv": CsvFile.read,
        ".json": _json,
        ".jsonl": _json_lines,
        ".parquet": _parquet,
        ".npy": _npy,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise StartupError(
            f"{path} is not a sample that can be read; give one of {', '.join(readers)}."
        )
    try:
        rows = reader(path)
    except StartupError:
        raise
    except ImportError:
        raise StartupError(
            f"{path} needs pyarrow to be read; run `pip install pyarrow`, or give a CSV."
        ) from None
    except Exception as error:
        raise StartupError(f"The sample {path} can't be read: {error}; correct the file.") from None
    if not len(rows.lines if isinstance(rows, CsvFile) else rows):
        raise StartupError(f"The sample {path} has no rows; give some that the model can answer.")
    return rows


def _json(path: Path) -> pd.DataFrame:
    document = _parsed(path.read_bytes())
    if isinstance(document, dict) and "columns" not in document:
        document = document.get("data", document.get("input_data", document))
    if isinstance(document, dict) and "data" in document:
        return _table(document["data"], document.get("columns"))
    if isinstance(document, dict) and not all(
        isinstance(column, list) for column in document.values()
    ):
        raise StartupError(
            f"{path} holds neither a list of rows nor a request body, and an object may hold rows "
            f"or columns; write it by pandas' to_json() with orient='records' or orient='split'."
        )
    return _table(document)


def _json_lines(path: Path) -> pd.DataFrame:
    return _table([*json_lines(path).values()])


def json_lines(path: Path) -> dict[int, Any]:
    """Return each line's value by its number, from 1, without empty lines.

    Raises ValueError, which names the line.
    """
    lines = enumerate(path.read_bytes().splitlines(), start=1)
    return {number: _line(number, line) for number, line in lines if line.strip()}


def _line(number: int, line: bytes) -> Any:
    try:
        return _parsed(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(
            f"line {number} is not JSON ({error.msg}, in column {error.colno})"
        ) from None


def _parsed(text: bytes) -> Any:
    return orjson.loads(text.removeprefix(codecs.BOM_UTF8))


def _table(rows: Any, columns: list[Any] | None = None) -> pd.DataFrame:
    """Build a frame of rows that are alike. Raises ValueError.

    pandas would fill up short rows, and take a list among objects for an object.
    """
    kinds = [_kind(row) for row in rows]
    odd = next((place for place, kind in enumerate(kinds) if kind != kinds[0]), None)
    if odd is not None:
        raise ValueError(f"row {odd + 1} is {kinds[odd]}, row 1 is {kinds[0]}")
    widths = [len(row) for row in rows if isinstance(row, list)]
    wanted = len(columns) if columns else next(iter(widths), 0)
    uneven = next((place for place, width in enumerate(widths) if width != wanted), None)
    if uneven is not None:
        count = widths[uneven]
        raise ValueError(f"row {uneven + 1} has {count} value{'s' * (count != 1)}, not {wanted}")
    return pd.DataFrame(rows, columns=columns)


def _kind(row: Any) -> str:
    if isinstance(row, dict):
        return "an object"
    return "a list" if isinstance(row, list) else "a value"


def _parquet(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path)


def _npy(path: Path) -> pd.DataFrame:
    with path.open("rb") as file:  # numpy leaves an archive open that it can't read
        return pd.DataFrame(np.load(file, allow_pickle=False))
