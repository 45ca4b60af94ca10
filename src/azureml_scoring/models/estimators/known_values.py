"""Reads dtype and categories off values that an estimator keeps, such as an encoder's."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import numpy as np

from azureml_scoring.inputs.feature import ANY, BOOLEAN, DATETIME, TEXT, Feature

NUMBER = "number"
"""A number's dtype: the fit doesn't say whether it is whole."""


def feature_of_values(values: Iterable[Any]) -> Feature:
    """Return a Feature with the values' common dtype, and those that JSON can hold."""
    plain = [
        value.item() if isinstance(value, np.generic) and value.dtype.kind != "M" else value
        for value in values
    ]
    known = tuple(_sent(value) for value in plain if kind_of(value) not in (None, ANY))
    kinds = {kind_of(value) for value in plain} - {None}
    return Feature(None, kinds.pop() or ANY if len(kinds) == 1 else ANY, categories=known)


def _sent(value: Any) -> Any:
    """Return a value in the form that a request has."""
    return (
        str(np.datetime64(value, "ns")).rstrip("0").rstrip(".")
        if kind_of(value) == DATETIME
        else value
    )


def kind_of(value: Any) -> str | None:
    """Return a value's dtype: None if it is missing, ANY if JSON can't hold it."""
    if isinstance(value, str | bool | np.bool_):
        return TEXT if isinstance(value, str) else BOOLEAN
    if isinstance(value, int | float | np.number) and np.isfinite(value):
        return NUMBER
    if str(value) != "NaT" and (
        isinstance(value, np.datetime64) or (isinstance(value, datetime) and not value.tzinfo)
    ):
        return DATETIME
    missing = value is None or str(value) in ("NaT", "<NA>", "nan")
    return None if missing else ANY
