"""Reads a CSV with the types of the model's fit, and prints how each column was read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from azureml_scoring.inputs.cells import MISSING_WORDS
from azureml_scoring.inputs.feature import ANY, BOOLEAN, CATEGORY, DATETIME, TEXT, Feature
from azureml_scoring.inputs.moment import moment
from azureml_scoring.models.estimators.fitted_columns import fitted_columns
from azureml_scoring.models.estimators.known_features import names_of
from azureml_scoring.models.estimators.known_values import NUMBER, feature_of_values
from mlops.cell_inference import are_codes, stray_cells
from mlops.csv_file import ColumnTypes, CsvFile
from mlops.sample import dtype_of

MAX_NAMED = 8
"""Columns that a line names, and notes that are printed."""

KIND_NAMES = {
    NUMBER: "numbers",
    TEXT: "texts",
    BOOLEAN: "true or false",
    CATEGORY: "categories",
    DATETIME: "dates or times",
    ANY: "nothing at all",
}
WORDS_FOR_MISSING = MISSING_WORDS - {""}

OTHER_KINDS = {
    TEXT: {NUMBER, BOOLEAN},
    NUMBER: {TEXT},
    BOOLEAN: {NUMBER, TEXT},
    DATETIME: {TEXT},
}
"""Kind at the fit -> kinds of a file's columns that can be read as that."""


def as_fitted(
    file: CsvFile,
    estimator: Any,
    signature: Sequence[Feature],
    user_types: Mapping[str, Feature],
    say: Callable[[str], None],
) -> pd.DataFrame:
    """Read the file's rows.

    The user's types come first, then those of an MLflow ``signature``, then those of the fit.
    Raises StartupError.
    """
    types = (
        fitted_types(estimator, file.columns)
        | file.by_column(signature)
        | file.user_types(user_types)
    )
    frame = file.frame(types)
    say(f"Read {file.path}: {len(frame)} rows")
    notes = list(_notes(file, frame, types))
    more = (
        [f"note: {len(notes) - MAX_NAMED:,} more columns are like these"]
        if len(notes) > MAX_NAMED
        else []
    )
    for line in [*_kinds(frame), *notes[:MAX_NAMED], *more]:
        say(f"  {line}")
    return frame


def fitted_types(estimator: Any, columns: Sequence[str | int]) -> ColumnTypes:
    """Return column -> its type at the fit, where that is known.

    ``columns``: the sample's, which are matched by place if the fit had no names.
    """
    names = names_of(estimator)
    if names is None and getattr(estimator, "n_features_in_", len(columns)) != len(columns):
        return {}
    places = {str(column): column for column in columns}
    known = list(columns) if names is None else [places.get(name, name) for name in names]
    types = zip(known, fitted_columns(estimator, len(known)), strict=True)
    return {name: feature for name, feature in types if feature.dtype != ANY}


def unlike_the_fit(frame: pd.DataFrame, estimator: Any) -> dict[str, Feature]:
    """Return the columns of a file with types that hold another kind than at the fit, and that.

    JSON has no dates, and code that wrote the file may have made numbers of texts.
    """
    types = fitted_types(estimator, list(frame.columns))
    return {
        str(name): types[name]
        for name in frame.columns
        if name in types
        and _kind(name, frame[name]) in OTHER_KINDS.get(_fitted_kind(types[name]), ())
    }


def _kind(name: str | int, column: pd.Series) -> str:
    dtype = dtype_of(name, column)
    return dtype if dtype in KIND_NAMES else NUMBER


def _fitted_kind(fitted: Feature) -> str:
    """Return the kind of the values; for categories that of theirs."""
    if fitted.dtype != CATEGORY:
        return fitted.dtype
    return feature_of_values(fitted.categories).dtype


def _kinds(frame: pd.DataFrame) -> Iterator[str]:
    by_kind = defaultdict(list)
    for name in frame.columns:
        by_kind[_kind(name, frame[name])].append(name)
    return (
        f"{KIND_NAMES[kind]}: {listed(by_kind[kind])}" for kind in KIND_NAMES if kind in by_kind
    )


def _notes(file: CsvFile, frame: pd.DataFrame, types: ColumnTypes) -> Iterator[str]:
    """Yield notes on columns read as text that may mean something else."""
    for name, cells in zip(file.columns, file.cells, strict=True):
        if dtype_of(name, frame[name]) == TEXT and (
            note := _note(name, cells, types.get(name), file.lines)
        ):
            yield f"note: {name} {note}"


def _note(
    name: str | int, cells: Sequence[str], known: Feature | None, lines: Sequence[int]
) -> str | None:
    rows, option = stray_cells(cells), f"add --dtype {name}=float64"
    if known is None and all_moments({*cells} - {""}):
        return f"is text: if the model was fitted on datetimes there, add --dtype {name}=datetime"
    words = WORDS_FOR_MISSING.intersection(cells) - {*(known.categories if known else ())}
    if known is None and are_codes(cells):
        return (
            f"is text: its numbers have leading zeros, a plus or too many digits; if they are not "
            f"codes, {option}"
        )
    if known is None and rows:
        advice = (
            f", or {option}" if WORDS_FOR_MISSING.issuperset(cells[row] for row in rows) else ""
        )
        place = f"{len(rows)} cells that are not numbers, the first in line {lines[rows[0]]}"
        return f"is text for {place}; leave them empty where values are missing{advice}"
    if words:
        return (
            f"holds {', '.join(sorted(words))}, which is read as text; leave those cells empty "
            f"where they mean that values are missing"
        )
    return None


def all_moments(values: Collection[Any]) -> bool:
    """Return whether all values are texts that could be dates or times."""
    return len(values) > 0 and all(
        isinstance(value, str) and moment(value) is not None for value in values
    )


def listed(names: Sequence[Any]) -> str:
    """Return the first few names, and how many more there are, as text."""
    more = f" and {len(names) - MAX_NAMED:,} more" if len(names) > MAX_NAMED else ""
    return ", ".join(map(str, names[:MAX_NAMED])) + more
