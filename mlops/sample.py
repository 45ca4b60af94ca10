"""Reads sample data: rows like those that the model will be asked about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd

from contract import ANY, BOOLEAN, CATEGORY, DATETIME, TEXT, Feature
from errors import StartupError


def read(path: Path) -> pd.DataFrame:
    """CSV, JSON (a request body, or a list of objects), JSON lines, Parquet or .npy. Raises StartupError."""
    readers: dict[str, Callable[[Path], pd.DataFrame]] = {
        ".csv": _csv,
        ".json": _json,
        ".jsonl": _json_lines,
        ".parquet": _parquet,
        ".npy": _npy,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise StartupError(f"{path} is not a sample that can be read; give one of {', '.join(readers)}.")
    try:
        frame = reader(path)
    except ImportError:
        raise StartupError(f"{path} needs pyarrow to be read; run `pip install pyarrow`, or give a CSV.") from None
    except Exception as error:
        raise StartupError(f"The sample {path} can't be read: {error}; correct the file.") from None
    if frame.empty:
        raise StartupError(f"The sample {path} has no rows; give some that the model can answer.")
    return frame


def features_of(frame: pd.DataFrame) -> tuple[Feature, ...]:
    """A feature for each column, from its dtype. Raises StartupError for one that JSON has no values for."""
    return tuple(
        Feature(name if isinstance(name, str) else None, _dtype(name, frame[name]), categories=_categories(frame[name]))
        for name in frame.columns
    )


def rows_of(frame: pd.DataFrame) -> list[list[Any]]:
    """Rows as a request would hold them: plain values, null for what is missing."""
    columns = [frame[name].astype(object) for name in frame.columns]
    plain = [column.where(column.notna(), None).tolist() for column in columns]
    return [[_plain(value) for value in row] for row in zip(*plain, strict=True)]


def _csv(path: Path) -> pd.DataFrame:
    first = pd.read_csv(path, header=None, nrows=1, dtype=str).iloc[0]
    headerless = first.notna().all() and all(map(_is_number, first))  # then the first row is data
    return pd.read_csv(path, header=None if headerless else "infer")


def _json(path: Path) -> pd.DataFrame:
    document = orjson.loads(path.read_bytes())
    if isinstance(document, dict):
        document = document.get("data", document.get("input_data", document))
    if isinstance(document, dict):
        return pd.DataFrame(document["data"], columns=document.get("columns"))
    return pd.DataFrame(document)


def _json_lines(path: Path) -> pd.DataFrame:
    return pd.DataFrame([orjson.loads(line) for line in path.read_bytes().splitlines() if line.strip()])


def _parquet(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path)


def _npy(path: Path) -> pd.DataFrame:
    return pd.DataFrame(np.load(path, allow_pickle=False))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _dtype(name: Any, column: pd.Series) -> str:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return CATEGORY
    if pd.api.types.is_bool_dtype(column):
        return BOOLEAN
    if pd.api.types.is_integer_dtype(column) or pd.api.types.is_float_dtype(column):
        return str(column.head(0).to_numpy(getattr(column.dtype, "numpy_dtype", None)).dtype)
    if pd.api.types.is_datetime64_dtype(column):
        return DATETIME
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind in ("string", "boolean"):
        return TEXT if kind == "string" else BOOLEAN
    if kind in ("mixed-integer", "mixed", "floating", "integer", "mixed-integer-float", "empty"):
        return ANY
    raise StartupError(
        f"Column {name} of the sample holds {kind} values, which JSON has not; make it numbers or texts."
    )


def _categories(column: pd.Series) -> tuple[Any, ...]:
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return ()
    return tuple(_plain(value) for value in column.dtype.categories)


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value.item() if isinstance(value, np.generic) else value
