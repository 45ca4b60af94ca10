"""Turns the body of a request into a typed batch that fits the model's contract, or raises an error
that names the place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from azureml_scoring.errors import (
    MissingValue,
    OutOfRange,
    UnknownForm,
    UnknownMethod,
    WrongFeatures,
    WrongShape,
    WrongType,
)
from azureml_scoring.inputs import payload
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import (
    ANY,
    BOOLEAN,
    CATEGORY,
    DATETIME,
    TEXT,
    Contract,
    Feature,
)
from azureml_scoring.inputs.forms import forms
from azureml_scoring.inputs.numeric_body import numbers
from azureml_scoring.inputs.payload import Limits, Table

MAX_NAMED_COLUMNS = 10
"""How many missing columns an error names."""

ACCEPTED_TYPES: dict[str, set[type]] = {
    TEXT: {str},
    BOOLEAN: {bool},
    CATEGORY: {int, float, str, bool},
    DATETIME: {str},
    ANY: {int, float, str, bool},
}
"""Types of JSON values by dtype. Numbers take int and float."""

DESCRIPTIONS = {
    TEXT: "text",
    BOOLEAN: "true or false",
    CATEGORY: "one of its categories",
    DATETIME: "a date or time in ISO 8601 and without a time zone, "
    "as in 2025-11-09 or 2025-11-09T10:00:00",
    ANY: "a number, text or boolean",
}
DATETIME_PATTERN = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?)?", re.ASCII)
"""ISO 8601 without a time zone, since the zone that the model was fitted in is not known."""

FIRST_YEAR, LAST_YEAR = "1678", "2261"
"""The years in which every moment is a 64-bit count of nanoseconds since 1970."""


def validate(body: bytes, contract: Contract, limits: Limits) -> Batch:
    """Parse and check a request's body. Raises ClientError."""
    if contract.plain and (parsed := numbers(body, len(contract.features), limits)):
        X, requested_method = parsed
        return Batch(X, _method(requested_method, contract))
    try:
        table = payload.parse(body, limits)
    except (UnknownForm, WrongShape) as error:
        raise type(error)(f"{error.message} {forms(contract)}", error.location) from None
    order = _order(table, contract)
    method = _method(table.method, contract)
    if contract.plain and table.types <= {float, int}:
        X = np.array(table.rows, dtype=np.float64)
        X += 0.0  # turns -0.0 into 0.0
        return Batch(X if isinstance(order, range) else np.ascontiguousarray(X[:, order]), method)
    X = np.empty((len(table.rows), len(contract.features)), dtype=contract.dtype)
    for j, (feature, position) in enumerate(zip(contract.features, order, strict=True)):
        label = f"Feature {j if feature.name is None else feature.name}"
        X[:, j] = _column(feature, label, table, position)
    return Batch(X, method)


def _order(table: Table, contract: Contract) -> Sequence[int]:
    """Return the position of each feature in a row: by name if the table has columns, else in the
    order of the fit."""
    count = len(contract.features)
    if table.columns is None:
        if table.width != count:
            subject = "A list of values is one row, which" if table.flat else "A row"
            raise WrongFeatures(
                f"{subject} must have {count} values, one for each feature of the model, not "
                f"{table.width}. {forms(contract)}",
                table.pointer,
            )
        return range(count)
    place = table.pointer.removesuffix("/data") + "/columns"
    positions = {str(name): position for position, name in enumerate(table.columns)}
    if len(positions) != len(table.columns):
        raise WrongFeatures("A column is named more than once; name each column once.", place)
    expected = [str(index) for index in range(count)] if contract.names is None else contract.names
    missing = [name for name in expected if name not in positions]
    if missing and contract.names is None:
        raise WrongFeatures(
            f"The model has no column names, so its columns are called by their place in its fit, "
            f"0 to {count - 1}. Put the values of each row in the order of the fit, and use these "
            f"names or send the rows without names.",
            place,
        )
    if missing:
        more = (
            f" and {len(missing) - MAX_NAMED_COLUMNS} more"
            if len(missing) > MAX_NAMED_COLUMNS
            else ""
        )
        raise WrongFeatures(
            f"Columns are missing: {', '.join(missing[:MAX_NAMED_COLUMNS])}{more}.", place
        )
    return [positions[name] for name in expected]


def _method(method: Any, contract: Contract) -> str:
    if method is None:
        return contract.methods[0]
    if method not in contract.methods:
        raise UnknownMethod(f"The model has the methods {', '.join(contract.methods)}.", "/method")
    return str(method)


def _column(feature: Feature, label: str, table: Table, position: int) -> list[Any]:
    """Check one column and return it in canonical form; null becomes NaN among numbers. Raises
    ClientError at a bad value."""
    types = ACCEPTED_TYPES.get(feature.dtype, {int, float})
    values = [row[position] for row in table.rows]
    for i, value in enumerate(values):
        place = table.location(i, position)
        if value is None:
            if not feature.missing:
                raise MissingValue(
                    f"{label} must not be null: the model takes no missing values there.", place
                )
        elif type(value) not in types:
            raise WrongType(f"{label} must be {described(feature)}.", place)
        elif feature.dtype == CATEGORY and value not in feature.categories:
            raise WrongType(
                f"{label} must be one of the {len(feature.categories)} categories of the fit.",
                place,
            )
        elif feature.dtype == DATETIME and moment(value) is None:
            raise WrongType(
                f"{label} must be {described(feature)}, from {FIRST_YEAR} to {LAST_YEAR}.", place
            )
        elif feature.numeric and not _fits(value, np.dtype(feature.dtype)):
            raise OutOfRange(
                f"{label} must be {described(feature)} that fits {feature.dtype}.", place
            )
    return [_canonical(feature, value) for value in values]


def _canonical(feature: Feature, value: Any) -> Any:
    """Return the one form of a valid value, so that values of equal meaning have equal bytes."""
    if value is None:
        return np.nan if feature.numeric else None
    if feature.dtype == CATEGORY:
        return feature.categories[feature.categories.index(value)]
    if feature.dtype == DATETIME:
        return moment(value)
    if feature.numeric and not np.issubdtype(feature.dtype, np.floating):
        return int(value)
    return float(value) + 0.0 if feature.numeric or type(value) is float else value


def moment(text: str) -> str | None:
    """Return a date or time with all digits down to the nanosecond, or None if it is invalid."""
    if not (DATETIME_PATTERN.fullmatch(text) and FIRST_YEAR <= text[:4] <= LAST_YEAR):
        return None
    try:
        return str(np.datetime64(text, "ns"))
    except ValueError:  # a 13th month
        return None


def described(feature: Feature) -> str:
    """Say what the values of a feature must be, as the end of "must be ..."."""
    if feature.numeric:
        return "a number" if np.issubdtype(feature.dtype, np.floating) else "a whole number"
    return DESCRIPTIONS[feature.dtype]


def _fits(value: float, dtype: np.dtype[Any]) -> bool:
    if np.issubdtype(dtype, np.floating):
        return abs(value) <= float(np.finfo(dtype).max)
    info = np.iinfo(dtype)
    return value == int(value) and info.min <= value <= info.max
