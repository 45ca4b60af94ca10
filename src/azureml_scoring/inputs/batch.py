"""The input of a model: a table of typed values, and the method to call."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

InputRow = list[Any]
"""A row as JSON holds it: a value for each feature."""


class Batch(NamedTuple):
    """The rows of a request, and the method that they are for.

    ``X``: (rows, features), C order, of the contract's dtype, in the order of the fit; missing
    values are NaN or None. Equal requests give equal bytes, since the cache's key is made of them
    (docs/adr/0004): -0.0 is 0.0, and 1 is 1.0 if the model takes a float.

    ``params``: the model's parameters as ``parameter.read`` returns them; empty if it has none.
    """

    X: np.ndarray
    method: str
    params: bytes = b""
