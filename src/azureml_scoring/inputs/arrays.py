"""Turns arrays of numpy into the values that JSON would hold, without a Python call for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from azureml_scoring.errors import WrongType


def values_of(array: np.ndarray, location: Callable[..., str]) -> list[Any]:
    """Return the values as lists; NaN is None. Raises WrongType for an infinity, which JSON lacks
    too.

    ``array``: of numbers or booleans; ``location``: the indices of a value -> the pointer
    to it.
    """
    if array.dtype.kind == "f":
        infinite = np.isinf(array)
        if infinite.any():
            place = map(int, np.argwhere(infinite)[0])
            raise WrongType("A number must be finite; this one is infinite.", location(*place))
        absent = np.isnan(array)
        if absent.any():
            boxed = array.astype(object)
            boxed[absent] = None
            array = boxed
    values: list[Any] = array.tolist()
    return values
