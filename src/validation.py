"""Turns the body of a request into a typed batch that fits the model's contract, or raises an error
that names the place."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from types import NoneType
from typing import Any

import numpy as np

from azureml_scoring.errors import MissingValue, UnknownForm, WrongShape
from azureml_scoring.inputs import (
    arrow_body,
    binary_tensors,
    csv_body,
    npy_body,
    parameter,
    parquet_body,
    payload,
    tensors,
)
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.column import BrokenRule
from azureml_scoring.inputs.column_order import WrongWidth
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.forms import forms
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.media_types import (
    ARROW,
    ARROW_FILE,
    BINARY_TENSORS,
    CSV,
    JSON,
    NPY,
    PARQUET,
    TENSORS,
)
from azureml_scoring.inputs.numeric_body import numbers
from azureml_scoring.inputs.options import Options, method_of
from azureml_scoring.inputs.table import Table

PARSERS: dict[str, Callable[[bytes, Contract, Limits], tuple[Table, Options]]] = {
    JSON: payload.parse,
    CSV: csv_body.parse,
    NPY: npy_body.parse,
    PARQUET: parquet_body.parse,
    ARROW: arrow_body.parse,
    ARROW_FILE: arrow_body.parse,
    TENSORS: tensors.parse,
    BINARY_TENSORS: binary_tensors.parse,
}
"""By the body's media type."""


def validate(body: bytes, contract: Contract, limits: Limits, media_type: str = JSON) -> Batch:
    """Parse and check a request's body. Raises ClientError."""
    if media_type == JSON:
        if contract.numeric:
            parsed = numbers(body, len(contract.features), limits)
            if parsed and (cast := contract.number_columns.cast(parsed[0])) is not None:
                params = parameter.defaults(contract.parameters)
                return Batch(cast, method_of(contract.methods, parsed[1]), params)
        X = contract.typed_records.read(body, limits)
        if X is None:
            X = contract.row_plans.read(body, limits)
        if X is not None:
            return Batch(X, contract.methods[0], parameter.defaults(contract.parameters))
    try:
        table, options = PARSERS[media_type](body, contract, limits)
    except (UnknownForm, WrongShape, WrongWidth) as error:
        advice = forms(contract, media_type)
        raise type(error)(f"{error.message} {advice}", error.location) from None
    method = method_of(contract.methods, options.method, options.method_pointer)
    params = parameter.read(options.params, contract.parameters, options.params_pointer)
    return Batch(typed(table, contract), method, params)


def typed(table: Table, contract: Contract) -> np.ndarray:
    """Return the rows of a batch. Raises ClientError for a value that breaks the contract."""
    matrix = _number_matrix(table, contract) if contract.numeric else None
    return _matrix(table, contract) if matrix is None else matrix


def _number_matrix(table: Table, contract: Contract) -> np.ndarray | None:
    """Read all columns at once. None if their values have to be read one column at a time."""
    types = set(itertools.chain.from_iterable(table.types))
    if not types <= {float, int, NoneType}:
        return None
    X = (  # null becomes NaN
        np.array(table.values, np.float64).T.copy("C")
        if table.rows is None
        else np.array(table.rows, np.float64)
    )
    X += 0.0  # turns -0.0 into 0.0
    return contract.number_columns.cast(X, nulls=NoneType in types)


def _matrix(table: Table, contract: Contract) -> np.ndarray:
    columns: list[Sequence[Any]] = []
    for j, column in enumerate(contract.columns):
        values = table.values[j]
        try:
            columns.append(column.read(values, table.types[j]))
        except BrokenRule:
            i, broken = column.first_broken(values)
            name = j if column.feature.name is None else column.feature.name
            error = broken.error(f"Feature {name} must {broken.rule}.", table.location(i, j))
            if isinstance(error, MissingValue):
                error.feature = j
            raise error from None
    return np.array(columns, contract.dtype, order="F").T
