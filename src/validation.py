"""Turns the body of a request into a typed batch that fits the model's contract, or raises an error
that names the place."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from types import NoneType
from typing import Any

import numpy as np

from azureml_scoring.errors import UnknownForm, UnknownMethod, WrongFeatures, WrongShape
from azureml_scoring.inputs import parameter, payload
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.column import BrokenRule
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.forms import forms
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.numeric_body import numbers
from azureml_scoring.inputs.payload import Table

MAX_NAMED_COLUMNS = 10
"""How many missing columns an error names."""


def validate(body: bytes, contract: Contract, limits: Limits) -> Batch:
    """Parse and check a request's body. Raises ClientError."""
    if contract.numeric and (parsed := numbers(body, len(contract.features), limits)):
        X, requested_method = parsed
        if (cast := contract.number_columns.cast(X)) is not None:
            return Batch(
                cast, _method(requested_method, contract), parameter.defaults(contract.parameters)
            )
    try:
        table = payload.parse(body, limits)
    except (UnknownForm, WrongShape) as error:
        raise type(error)(f"{error.message} {forms(contract)}", error.location) from None
    if contract.optional and table.columns is not None:
        table = _with_optional(table, contract.optional)
    order = _order(table, contract)
    method = _method(table.method, contract)
    params = parameter.read(table.params, contract.parameters)
    matrix = _number_matrix(table, contract, order) if contract.numeric else None
    return Batch(_matrix(table, contract, order) if matrix is None else matrix, method, params)


def _with_optional(table: Table, optional: Sequence[str]) -> Table:
    """Add the optional columns that a table with names lacks, with null in each row."""
    known = {str(name) for name in table.columns or ()}
    absent = [name for name in optional if name not in known]
    if not absent:
        return table
    nulls = [None] * len(absent)
    return table._replace(
        rows=[[*row, *nulls] for row in table.rows],
        values=[*table.values, *[(None,) * len(table.rows) for _ in absent]],
        types=[*table.types, *[{NoneType} for _ in absent]],
        columns=[*(table.columns or ()), *absent],
    )


def _number_matrix(table: Table, contract: Contract, order: Sequence[int]) -> np.ndarray | None:
    """Read all columns at once. None if their values have to be read one column at a time."""
    types = set(itertools.chain.from_iterable(table.types))
    if not types <= {float, int, NoneType}:
        return None
    X = np.array(table.rows, dtype=np.float64)  # null becomes NaN
    X += 0.0  # turns -0.0 into 0.0
    if not isinstance(order, range):
        X = X.take(order, axis=1)
    return contract.number_columns.cast(X, nulls=NoneType in types)


def _matrix(table: Table, contract: Contract, order: Sequence[int]) -> np.ndarray:
    columns: list[Sequence[Any]] = []
    for column, position in zip(contract.columns, order, strict=True):
        values = table.values[position]
        try:
            columns.append(column.read(values, table.types[position]))
        except BrokenRule:
            i, broken = column.first_broken(values)
            name = len(columns) if column.feature.name is None else column.feature.name
            raise broken.error(
                f"Feature {name} must {broken.rule}.", table.location(i, position)
            ) from None
    return np.array(columns, contract.dtype, order="F").T


def _order(table: Table, contract: Contract) -> Sequence[int]:
    """Return the position of each feature in a row: by name if the table has columns, else in the
    order of the fit."""
    count = len(contract.features)
    if table.columns is None:
        if len(table.values) != count:
            subject = "A list of values is one row, which" if table.flat else "A row"
            raise WrongFeatures(
                f"{subject} must have {count} values, one for each feature of the model, not "
                f"{len(table.values)}. {forms(contract)}",
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
