"""What a model is asked for: a table of typed values, and by which of its methods."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Batch(NamedTuple):
    """``X``: (rows, features), C order, of the contract's dtype, in the order of the fit; missing
    is NaN or None.

    Equal requests are equal here to the last bit, -0.0 being 0.0 and 1 being 1.0 where the model
    takes a float: the cache's key is made of these bytes (docs/adr/0004).
    """

    X: np.ndarray
    method: str
