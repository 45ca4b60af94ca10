"""Checks the values of one column against the contract and brings them into canonical form."""

from __future__ import annotations

import functools
import re
from typing import Any, NamedTuple

import numpy as np

from azureml_scoring.errors import ClientError, MissingValue, OutOfRange, WrongType
from azureml_scoring.inputs.contract import ANY, BOOLEAN, CATEGORY, DATETIME, TEXT, Feature
from azureml_scoring.inputs.payload import Table

ACCEPTED_TYPES: dict[str, set[type]] = {
    TEXT: {str},
    BOOLEAN: {bool},
    CATEGORY: {int, float, str, bool},
    DATETIME: {str},
    ANY: {int, float, str, bool},
}
"""Types of JSON values by dtype, for all but numbers."""

NUMBER_TYPES: set[type] = {int, float}

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


def column_values(feature: Feature, label: str, table: Table, position: int) -> list[Any]:
    """Check one column and return it in canonical form; null becomes NaN among numbers. Raises
    ClientError at a bad value."""
    values = [row[position] for row in table.rows]
    for i, value in enumerate(values):
        if broken := _broken_rule(feature, value):
            error, rule = broken
            raise error(f"{label} must {rule}.", table.location(i, position))
    return [_canonical(feature, value) for value in values]


def _broken_rule(feature: Feature, value: Any) -> tuple[type[ClientError], str] | None:
    """Return the error and the rule of the contract that a value breaks, or None."""
    broken: tuple[type[ClientError], str] | None = None
    if value is None:
        if not feature.missing:
            broken = MissingValue, "not be null: the model takes no missing values there"
    elif type(value) not in ACCEPTED_TYPES.get(feature.dtype, NUMBER_TYPES):
        broken = WrongType, f"be {described(feature)}"
    elif feature.dtype == CATEGORY and value not in feature.categories:
        broken = WrongType, f"be one of the {len(feature.categories)} categories of the fit"
    elif feature.dtype == DATETIME and moment(value) is None:
        broken = WrongType, f"be {described(feature)}, from {FIRST_YEAR} to {LAST_YEAR}"
    elif feature.numeric and not _fits(value, feature.dtype):
        broken = OutOfRange, f"be {described(feature)} that fits {feature.dtype}"
    return broken


def _canonical(feature: Feature, value: Any) -> Any:
    """Return the one form of a valid value, so that values of equal meaning have equal bytes."""
    if value is None:
        return np.nan if feature.numeric else None
    if feature.dtype == CATEGORY:
        return feature.categories[feature.categories.index(value)]
    if feature.dtype == DATETIME:
        return moment(value)
    if feature.numeric and _number_range(feature.dtype).whole:
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
        return "a whole number" if _number_range(feature.dtype).whole else "a number"
    return DESCRIPTIONS[feature.dtype]


class _NumberRange(NamedTuple):
    least: float
    most: float
    whole: bool


@functools.lru_cache
def _number_range(dtype: str) -> _NumberRange:
    if np.issubdtype(dtype, np.floating):
        most = float(np.finfo(dtype).max)
        return _NumberRange(-most, most, whole=False)
    info = np.iinfo(dtype)
    return _NumberRange(info.min, info.max, whole=True)


def _fits(value: float, dtype: str) -> bool:
    least, most, whole = _number_range(dtype)
    return least <= value <= most and (not whole or value == int(value))
