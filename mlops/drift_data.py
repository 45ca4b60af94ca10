"""Reads data to compare with a model's sample: collected by the service or Azure ML, or a file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.column import described
from azureml_scoring.inputs.feature import ANY, BOOLEAN, CATEGORY, DATETIME, TEXT, Feature
from azureml_scoring.inputs.moment import moment
from mlops import sample as samples
from mlops import sample_file

DTYPE_CHECKS: dict[str, Callable[[Any], bool]] = {
    TEXT: lambda value: isinstance(value, str),
    BOOLEAN: lambda value: isinstance(value, bool),
    DATETIME: lambda value: moment(str(value)) is not None,
    ANY: lambda value: True,
}
"""dtype -> a check that a value has it; dtypes that are not listed are numbers."""


def feature_columns(
    file: Path, features: Sequence[Feature], names: Sequence[str]
) -> Iterator[list[Any]]:
    """Yield the values of each feature, in the order of ``names``, as the service counts them.

    Raises StartupError.
    """
    open_features = [_as_it_is(feature) for feature in features]
    frame = _read(file, open_features, names)
    frame.columns = frame.columns.astype(str)
    _check_names(file, "", names, frame.columns)
    for name, feature in zip(names, open_features, strict=True):
        yield _values(file, name, feature, frame[name])


def _as_it_is(feature: Feature) -> Feature:
    """Let a category column hold values that the fit did not have: here they are drift."""
    if feature.dtype != CATEGORY:
        return feature
    return replace(
        feature, dtype=TEXT if any(isinstance(value, str) for value in feature.categories) else ANY
    )


def _read(file: Path, features: Sequence[Feature], names: Sequence[str]) -> pd.DataFrame:
    """Read JSON lines of a data collector, or a sample. Raises StartupError."""
    if file.suffix.lower() != ".jsonl":
        return samples.read(file, features)
    try:
        lines = sample_file.json_lines(file)
        if odd := next(
            (number for number, line in lines.items() if not isinstance(line, dict)), None
        ):
            raise ValueError(f"line {odd} is not an object")
    except ValueError as error:
        raise StartupError(
            f"{file} is not JSON lines: {error}; give a file of the data collector."
        ) from None
    rows = [
        row
        for line in lines.values()
        for row in (line["data"] if isinstance(line.get("data"), list) else [line])
    ]
    if not rows:
        raise StartupError(f"{file} has no rows; give one that has.")
    _check_rows(file, rows, names)
    # By itself pandas turns a column's categories 1, 2 into 1.0, 2.0 if one value is null.
    return pd.DataFrame(rows, dtype=object)


def _check_rows(file: Path, rows: Sequence[Any], names: Sequence[str]) -> None:
    """Refuse a row that lacks a column which others have: pandas would fill it up."""
    if all(isinstance(row, dict) for row in rows) and any(
        row.keys() != rows[0].keys() for row in rows
    ):
        for number, row in enumerate(rows, 1):
            _check_names(file, f"Row {number} of ", names, row.keys())


def _check_names(file: Path, where: str, names: Sequence[str], columns: Collection[str]) -> None:
    missing = [name for name in names if name not in columns]
    if missing:
        raise StartupError(
            f"{where}{file} lacks the columns {', '.join(missing)}; give what the model was asked."
        )
    if len({*columns}) != len(columns):
        raise StartupError(f"{where}{file} names a column twice; rename one.")


def _values(file: Path, name: str, feature: Feature, column: pd.Series) -> list[Any]:
    """Read a column's values; a missing one is None, or NaN among numbers. Raises StartupError."""
    if feature.numeric and pd.api.types.is_numeric_dtype(column):
        return samples.canonical_values(feature, column.to_numpy(float, na_value=np.nan))
    values = [_plain(value) for value in column.astype(object).where(column.notna(), None)]
    fits = DTYPE_CHECKS.get(feature.dtype, lambda value: isinstance(value, int | float | Decimal))
    wrong = next(
        (row for row, value in enumerate(values, 1) if value is not None and not fits(value)), None
    )
    if wrong is not None:
        raise StartupError(
            f"Row {wrong} of {file}: {name} must be {described(feature)}; correct the file."
        )
    return samples.canonical_values(feature, values)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
