"""Checks the values of a contract of numbers all at once, as one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from azureml_scoring.inputs.feature import Feature, NumberRange

MOST_EXACT = 2**53 - 1
"""Larger whole numbers may lose digits as float64."""


class NumberColumns:
    """Brings rows of float64 into the dtype of the batch."""

    def __init__(self, features: Sequence[Feature], dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        self._whole = np.array([feature.whole for feature in features])
        self._some_whole = bool(self._whole.any())
        self._required = np.array([not feature.missing for feature in features])
        self._bounded = any(feature.dtype != "float64" for feature in features)
        self._narrower = {
            name: [j for j, feature in enumerate(features) if feature.dtype == name]
            for name in {feature.dtype for feature in features if not feature.whole}
            - {dtype.name, "float64"}
        }
        ranges = [NumberRange.of(feature) for feature in features]
        least, most = np.array(ranges, np.float64).T
        self._least = np.where(self._whole, np.maximum(least, -MOST_EXACT), least)
        self._most = np.where(self._whole, np.minimum(most, MOST_EXACT), most)
        self._known = [
            (j, np.array(feature.categories, feature.dtype))
            for j, feature in enumerate(features)
            if feature.categories
        ]

    def cast(self, X: np.ndarray, *, nulls: bool = False) -> np.ndarray | None:
        """Return the rows in the dtype of the batch. None if a value breaks the contract, or may
        have lost digits: the columns then have to be read one by one.

        ``X``: (rows, features) of float64, changed in place; ``nulls``: NaN stands for null
        somewhere.
        """
        numbers = X
        if nulls:
            absent = np.isnan(X)
            if np.count_nonzero(absent & self._required):
                return None
            numbers = np.where(absent, 0.0, X)
        if not self._bounded:
            return X if self._all_known(X) else None
        broken = (numbers < self._least) | (numbers > self._most)
        if self._some_whole:
            broken |= (np.rint(numbers) != numbers) & self._whole
        if np.count_nonzero(broken):
            return None
        for dtype, places in self._narrower.items():
            X[:, places] = X[:, places].astype(dtype)
        X = X.astype(self._dtype, copy=False)
        X += 0  # a small negative number may have been rounded to -0.0
        return X if self._all_known(X) else None

    def _all_known(self, X: np.ndarray) -> bool:
        """Tell whether the model knows the values, in columns where it refuses others."""
        return all(
            (np.isin(X[:, place], known) | np.isnan(X[:, place])).all()
            for place, known in self._known
        )
