"""Reads sample data: rows like those that the model will be asked about."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.contract import ANY, BOOLEAN, CATEGORY, DATETIME, TEXT, Feature
from mlops.column_types import BadCell, typed
from mlops.csv_file import CsvFile
from validation import moment


def read(
    path: Path, features: Sequence[Feature] = (), user_types: Mapping[str, Feature] | None = None
) -> pd.DataFrame:
    """A CSV's columns as the contract's features and the user tell, else by their cells. Raises
    StartupError."""
    return typed_frame(load(path), features, user_types)


def typed_frame(
    found: CsvFile | pd.DataFrame,
    features: Sequence[Feature] = (),
    user_types: Mapping[str, Feature] | None = None,
) -> pd.DataFrame:
    """Type what ``load`` has found, as ``read`` does. Raises StartupError."""
    if isinstance(found, CsvFile):
        return found.frame(found.by_column(features) | found.user_types(user_types or {}))
    return apply_types(found, user_types or {})


def apply_types(frame: pd.DataFrame, user_types: Mapping[str, Feature]) -> pd.DataFrame:
    """With the datetimes and categories that a file such as JSON has no types for. Raises
    StartupError."""
    columns = {str(name): name for name in frame.columns}
    for name, feature in user_types.items():
        if feature.dtype not in (DATETIME, CATEGORY):
            raise StartupError(
                "--text and --dtype are for a CSV; this file itself tells what its columns are, "
                "except for "
                f"--dtype {name}=datetime and --dtype {name}=category."
            )
        if name not in columns:
            raise StartupError(
                f"--dtype names {name}, which the sample lacks; it has {', '.join(columns)}."
            )
        column = frame[columns[name]]
        converted = (
            _moments(name, column) if feature.dtype == DATETIME else column.astype("category")
        )
        frame = frame.copy(deep=False)
        frame[columns[name]] = converted
    return frame


def _moments(name: str, column: pd.Series) -> pd.Series:
    try:
        cells = [
            "" if missing else str(value)
            for value, missing in zip(column, column.isna(), strict=True)
        ]
        return typed(cells, Feature(name, DATETIME)).set_axis(column.index)
    except BadCell as bad:
        raise StartupError(
            f"Row {bad.row + 1} of the sample: column {name} must be {bad.wanted}; correct it."
        ) from None


def load(path: Path) -> CsvFile | pd.DataFrame:
    """CSV, JSON (a request body, or a list of objects), JSON lines, Parquet or .npy. Raises
    StartupError."""
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
        found = reader(path)
    except StartupError:
        raise
    except ImportError:
        raise StartupError(
            f"{path} needs pyarrow to be read; run `pip install pyarrow`, or give a CSV."
        ) from None
    except Exception as error:
        raise StartupError(f"The sample {path} can't be read: {error}; correct the file.") from None
    if not len(found.lines if isinstance(found, CsvFile) else found):
        raise StartupError(f"The sample {path} has no rows; give some that the model can answer.")
    return found


def features_of(frame: pd.DataFrame) -> tuple[Feature, ...]:
    """A feature for each column, from its dtype. Raises StartupError for one that JSON has no
    values for."""
    return tuple(
        Feature(
            name if isinstance(name, str) else None,
            dtype_of(name, frame[name]),
            categories=_categories(frame[name]),
        )
        for name in frame.columns
    )


def rows_of(frame: pd.DataFrame) -> list[list[Any]]:
    """Rows as a request would hold them: plain values, null for what is missing."""
    columns = [frame[name].astype(object) for name in frame.columns]
    plain = [column.where(column.notna(), None).tolist() for column in columns]
    return [[_plain(value) for value in row] for row in zip(*plain, strict=True)]


def canonical_values(feature: Feature, column: Iterable[Any]) -> list[Any]:
    """As the service counts the values of requests: a moment has several spellings, and it counts
    the canonical one."""
    if feature.dtype != DATETIME:
        return list(column)
    return [value if value is None else moment(str(value)) or str(value) for value in column]


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
            f"or columns; write "
            "it by pandas' to_json() with orient='records' or orient='split'."
        )
    return _table(document)


def _json_lines(path: Path) -> pd.DataFrame:
    return _table([*json_lines(path).values()])


def json_lines(path: Path) -> dict[int, Any]:
    """What each line holds, by its number from 1; empty ones are left out. Raises ValueError, which
    names the line."""
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
    """pandas would fill up a row with fewer values than others, and take a list among objects for
    one."""
    kinds = [_kind(row) for row in rows]
    odd = next((place for place, kind in enumerate(kinds) if kind != kinds[0]), None)
    if odd is not None:
        raise ValueError(f"row {odd + 1} is {kinds[odd]}, row 1 is {kinds[0]}")
    widths = [len(row) for row in rows if isinstance(row, list)]
    wanted = len(columns) if columns else next(iter(widths), 0)
    uneven = next((place for place, width in enumerate(widths) if width != wanted), None)
    if uneven is not None:
        raise ValueError(f"row {uneven + 1} has {widths[uneven]} values, not {wanted}")
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


def dtype_of(name: Any, column: pd.Series) -> str:
    """As ``Feature.dtype``. Raises StartupError."""
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
        f"Column {name} of the sample holds {kind} values, which JSON has not; make it numbers or "
        f"texts."
    )


def _categories(column: pd.Series) -> tuple[Any, ...]:
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return ()
    return tuple(_plain(value) for value in column.dtype.categories)


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value
