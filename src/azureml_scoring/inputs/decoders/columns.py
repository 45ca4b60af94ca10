"""Columns: ``{"age": [59, 37], "sex": ["a", "b"]}``. Columns that the model does not know are left
out."""

from __future__ import annotations

from typing import Any

from azureml_scoring.errors import EmptyBatch, WrongShape
from azureml_scoring.inputs.column_order import absent_columns, check_names
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.table import (
    NO_ROWS,
    Table,
    check_scalars,
    check_size,
    key_pointer,
    types_of,
)


def fits(data: Any) -> bool:
    return isinstance(data, dict) and list in set(map(type, data.values()))


def decode(data: dict[str, Any], pointer: str, contract: Contract, limits: Limits) -> Table:
    """Read the model's columns. Raises ClientError."""
    names = contract.column_names
    lists = [column for column in data.values() if isinstance(column, list)]
    rows, sent_keys = max(map(len, lists)), len(data)
    absent = absent_columns(data.keys(), contract, pointer)
    elements = sum(map(len, lists)) + rows * len(absent)
    check_size(elements, rows, sent_keys, pointer, limits)
    if absent:
        count = next((len(data[name]) for name in names if isinstance(data.get(name), list)), 0)
        data = data | dict.fromkeys(absent, [None] * count)
    check_names(data.keys(), contract, pointer)
    values = [data[name] for name in names]
    for name, column in zip(names, values, strict=True):
        if not isinstance(column, list):
            raise WrongShape(
                "Some columns are lists and this one is not.", key_pointer(pointer, name)
            )
        if len(column) != len(values[0]):
            raise WrongShape(
                "A column must have as many values as the others.", key_pointer(pointer, name)
            )

    def location(row: int, feature: int) -> str:
        return f"{key_pointer(pointer, names[feature])}/{row}"

    if not values[0]:
        raise EmptyBatch(NO_ROWS, pointer)
    types = types_of(values)
    check_scalars(values, types, location)
    return Table(values, types, location, keys=sent_keys)
