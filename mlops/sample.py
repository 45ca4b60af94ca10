"""Reads sample data, rows like those of future requests, with the types of each column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.feature import ANY, BOOLEAN, CATEGORY, DATETIME, TEXT, Feature
from azureml_scoring.inputs.moment import moment
from mlops.column_types import BadCell, typed
from mlops.csv_file import CsvFile
from mlops.sample_file import load


def read(
    path: Path, features: Sequence[Feature] = (), user_types: Mapping[str, Feature] | None = None
) -> pd.DataFrame:
    """Read a file; a CSV's columns get the types of the features and the user, else by their cells.

    Raises StartupError.
    """
    return typed_frame(load(path), features, user_types)


def typed_frame(
    rows: CsvFile | pd.DataFrame,
    features: Sequence[Feature] = (),
    user_types: Mapping[str, Feature] | None = None,
) -> pd.DataFrame:
    """Give the columns of a loaded file their types, like ``read``. Raises StartupError."""
    if isinstance(rows, CsvFile):
        return rows.frame(rows.by_column(features) | rows.user_types(user_types or {}))
    return apply_types(rows, user_types or {})


def apply_types(frame: pd.DataFrame, user_types: Mapping[str, Feature]) -> pd.DataFrame:
    """Give columns of a file with types other ones. Raises StartupError."""
    columns = {str(name): name for name in frame.columns}
    for name, feature in user_types.items():
        if name not in columns:
            raise StartupError(
                f"--dtype names {name}, which the sample lacks; it has {', '.join(columns)}."
            )
        column = frame[columns[name]]
        frame = frame.copy(deep=False)
        frame[columns[name]] = _typed(name, column, feature)
    return frame


def _typed(name: str, column: pd.Series, feature: Feature) -> pd.Series:
    """Read a column's values like the cells of a CSV."""
    if feature.dtype == CATEGORY and not feature.categories:
        return column.astype("category")
    try:
        cells = [
            "" if missing else _cell(value)
            for value, missing in zip(column, column.isna(), strict=True)
        ]
        return typed(cells, feature).set_axis(column.index)
    except BadCell as bad:
        raise StartupError(
            f"Row {bad.row + 1} of the sample: column {name} must be {bad.requirement}; correct it."
        ) from None


def _cell(value: Any) -> str:
    """Return a value as a CSV holds it: a column with gaps made floats of whole numbers."""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value)


def features_of(frame: pd.DataFrame) -> tuple[Feature, ...]:
    """Return a feature for each column, by its dtype.

    Raises StartupError if JSON has no values for one.
    """
    return tuple(
        Feature(
            name if isinstance(name, str) else None,
            dtype_of(name, frame[name]),
            categories=_categories(frame[name]),
            unit=_unit(frame[name]),
        )
        for name in frame.columns
    )


def rows_of(frame: pd.DataFrame) -> list[list[Any]]:
    """Return the rows as a request holds them: plain values, None where one is missing."""
    columns = [frame[name].astype(object) for name in frame.columns]
    plain = [column.where(column.notna(), None).tolist() for column in columns]
    return [[_plain(value) for value in row] for row in zip(*plain, strict=True)]


def canonical_values(feature: Feature, column: Iterable[Any]) -> list[Any]:
    """Return the values as the service counts them: times in one of their several spellings, and
    numbers with the digits that the column holds, of which a float32 has few."""
    if feature.numeric:
        numbers = np.array([np.nan if value is None else value for value in column], float)
        held = numbers if feature.whole else numbers.astype(feature.dtype)
        return list(held.astype(float).tolist())
    if feature.dtype != DATETIME:
        return list(column)
    return [value if value is None else moment(str(value)) or str(value) for value in column]


def dtype_of(name: Any, column: pd.Series) -> str:
    """Return the column's ``Feature.dtype``. Raises StartupError."""
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
        f"Column {name} of the sample holds {kind} values, which JSON does not have; make it "
        f"numbers or texts."
    )


def _categories(column: pd.Series) -> tuple[Any, ...]:
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return ()
    return tuple(_plain(value) for value in column.dtype.categories)


def _unit(column: pd.Series) -> Any:
    if not pd.api.types.is_datetime64_dtype(column):
        return "ns"
    return np.datetime_data(str(column.dtype))[0]


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value
