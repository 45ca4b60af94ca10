"""Rows: ``[[59, "a"], [37, "b"]]``, or one row as a flat list, ``[59, "a"]``; with the names of
their columns, or in the order of the fit."""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType
from typing import Any

from azureml_scoring.errors import ClientError, WrongShape
from azureml_scoring.inputs.column_order import absent_columns, order_by_name, order_by_place
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.table import (
    SCALAR_TYPES,
    Location,
    Table,
    check_scalar,
    check_scalars,
    check_size,
    types_of,
)


def fits(data: Any) -> bool:
    return isinstance(data, list) and dict not in set(map(type, data))


def decode(data: Any, pointer: str, contract: Contract, limits: Limits) -> Table:
    """Read rows in the order of the fit. Raises ClientError."""
    return with_columns(data, pointer, contract, limits, None, "")


def with_columns(
    data: Any,
    pointer: str,
    contract: Contract,
    limits: Limits,
    columns: list[Any] | None,
    columns_pointer: str,
) -> Table:
    """Read rows whose columns have these names; None for the order of the fit."""
    rows, flat = _rows(data, pointer)
    absent: list[str] = []
    if columns is not None:
        absent = absent_columns({*map(str, columns)}, contract, columns_pointer)

    def sent_location(row: int, position: int) -> str:
        return f"{pointer}/{position}" if flat else f"{pointer}/{row}/{position}"

    try:
        _check_shape(rows, columns, len(absent), pointer, limits)
    except ClientError:
        _check_ragged_scalars(rows, sent_location)  # of two mistakes, the first to mend
        raise
    values = list(zip(*rows, strict=True))
    types = types_of(values)
    check_scalars(values, types, sent_location)
    if columns is None:
        order_by_place(len(values), contract, pointer, flat=flat)
        return Table(values, types, sent_location, rows)
    all_values = [*values, *[(None,) * len(rows)] * len(absent)]
    all_types = [*types, *[(NoneType,)] * len(absent)]
    order = order_by_name([*columns, *absent], contract, columns_pointer)
    return Table(
        [all_values[position] for position in order],
        [all_types[position] for position in order],
        lambda row, feature: sent_location(row, order[feature]),
        rows if order == list(range(len(values))) else None,
    )


def _rows(data: Any, pointer: str) -> tuple[list[list[Any]], bool]:
    """Return the rows, and True if the data is one row as a flat list."""
    if not isinstance(data, list):
        raise WrongShape("The data must be a list of rows, or one row.", pointer)
    types = set(map(type, data))
    if types and list not in types:
        return [data], True
    if types - {list}:
        index = next(i for i, row in enumerate(data) if not isinstance(row, list))
        raise WrongShape("Some rows are lists and this one is not.", f"{pointer}/{index}")
    return data, False


def _check_ragged_scalars(rows: Sequence[list[Any]], location: Location) -> None:
    for i, row in enumerate(rows):
        if SCALAR_TYPES.issuperset(map(type, row)):
            continue
        for j, value in enumerate(row):
            check_scalar(value, location, i, j)


def _check_shape(
    rows: Sequence[list[Any]],
    columns: list[Any] | None,
    absent: int,
    pointer: str,
    limits: Limits,
) -> None:
    """``absent``: how many columns were left out, whose missing values count too."""
    width = len(columns) if columns is not None else len(rows[0]) if rows else 0
    widths = set(map(len, rows))
    elements = width * len(rows) if widths == {width} else sum(map(len, rows))
    elements += absent * len(rows)
    check_size(elements, len(rows), max(width, *widths, 0), pointer, limits)
    if widths != {width}:
        index = next(i for i, row in enumerate(rows) if len(row) != width)
        as_wide_as = "the first row" if columns is None else "there are columns"
        raise WrongShape(f"A row must have as many values as {as_wide_as}.", f"{pointer}/{index}")
