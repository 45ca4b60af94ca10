"""The table that every form of a request is decoded into, and the limits of its size."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from azureml_scoring.errors import (
    EmptyBatch,
    TooManyElements,
    TooManyFeatures,
    TooManyRows,
    WrongShape,
)
from azureml_scoring.inputs.batch import InputRow
from azureml_scoring.inputs.limits import Limits

NO_ROWS = "There are no rows; send at least one."

SCALAR_TYPES = {int, float, str, bool, type(None)}

Location = Callable[[int, int], str]
"""Row and feature, both counted from 0 -> the JSON pointer to the value."""

Values = Sequence[Sequence[Any]]
"""The values of each column."""

Types = Sequence[Collection[type]]
"""The types of the values in each column."""


class Table(NamedTuple):
    """The values of a request as they were sent, a column for each feature, in the order of the
    fit; at least one row.

    ``rows``: the same values row by row, if they were sent so. ``keys``: how many keys the data's
    objects have after parsing.
    """

    values: Values
    types: Types
    location: Location
    rows: Sequence[InputRow] | None = None
    keys: int = 0


def types_of(values: Values) -> Types:
    """Return the types of the values in each column. All columns are equally long."""
    if not values:
        return []
    rows = len(values[0])
    if rows == 1:  # the usual request
        return [(type(value),) for (value,) in values]
    of_values = list(map(type, itertools.chain.from_iterable(values)))
    columns = [of_values[start : start + rows] for start in range(0, len(of_values), rows)]
    return [(of[0],) if of == of[:1] * rows else set(of) for of in columns]  # sets take longest


def check_scalars(values: Values, types: Types, location: Location) -> None:
    """Raise WrongShape at the first list or object among the values, row by row."""
    if SCALAR_TYPES.issuperset(itertools.chain.from_iterable(types)):
        return
    for row, column in itertools.product(range(len(values[0])), range(len(values))):
        check_scalar(values[column][row], location, row, column)


def check_scalar(value: Any, location: Location, row: int, column: int) -> None:
    """Raise WrongShape if the value is a list or an object."""
    if type(value) not in SCALAR_TYPES:
        kind = (
            "a list, so the data has more than 2 dimensions"
            if isinstance(value, list)
            else "an object"
        )
        raise WrongShape(
            f"A value must be a number, text, boolean or null; this one is {kind}.",
            location(row, column),
        )


def check_size(elements: int, rows: int, features: int, pointer: str, limits: Limits) -> None:
    """Raise ClientError if a table is too large, or has no rows. ``features``: of the widest
    row."""
    if elements > limits.max_elements:
        raise TooManyElements(
            f"Input array too large: {elements} elements. Maximum {limits.max_elements:,} allowed.",
            pointer,
        )
    if rows > limits.max_rows:
        raise TooManyRows(f"Too many rows: {rows}. Maximum {limits.max_rows:,} allowed.", pointer)
    if features > limits.max_features:
        raise TooManyFeatures(
            f"Too many features: {features}. Maximum {limits.max_features:,} allowed.", pointer
        )
    if not rows:
        raise EmptyBatch(NO_ROWS, pointer)


def key_pointer(pointer: str, name: str) -> str:
    """Return the pointer to a key, RFC 6901."""
    return f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
