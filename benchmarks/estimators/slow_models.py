"""Estimators whose ``predict`` takes real time: a fixed amount of work, not a fixed time.

Each server imports this module from here, so it needs nothing but scikit-learn. ``SLOW_COUNT``
names a file that gets a byte for each call of ``predict``.
"""

from __future__ import annotations

import os
import time
import timeit
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

FACTOR = (np.arange(100 * 100) % 97).astype(np.int64).reshape(100, 100)
HEAVY = 0.5
"""A row whose second feature is above this makes a Bimodal model slow."""

_count_file = (
    os.open(os.environ["SLOW_COUNT"], os.O_WRONLY | os.O_APPEND)
    if os.environ.get("SLOW_COUNT")
    else None
)


class SlowModel(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """The base: the prediction of a row is the sign of its sum."""

    def fit(self, X: Any, y: Any = None) -> Self:
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X: Any) -> Any:
        if _count_file is not None:
            os.write(_count_file, b".")
        rows = np.asarray(X, dtype=float)
        self._work(rows)
        return (rows.sum(axis=1) > 0).astype(int)

    def _work(self, rows: Any) -> None:
        raise NotImplementedError


class HoldsGil(SlowModel):
    """Counts in Python ``count`` times."""

    def __init__(self, count: int = 1) -> None:
        self.count = count

    def _work(self, rows: Any) -> None:
        count_in_python(self.count)


class FreesGil(SlowModel):
    """Multiplies integer matrices ``products`` times, on one thread."""

    def __init__(self, products: int = 1) -> None:
        self.products = products

    def _work(self, rows: Any) -> None:
        multiply(self.products)


class Waits(SlowModel):
    """Sleeps, as a model does that asks another service."""

    def __init__(self, wait_s: float = 0.1) -> None:
        self.wait_s = wait_s

    def _work(self, rows: Any) -> None:
        time.sleep(self.wait_s)


class Bimodal(SlowModel):
    """Is quick, but slow for a batch with a heavy row."""

    def __init__(self, products: int = 1, heavy_products: int = 1) -> None:
        self.products = products
        self.heavy_products = heavy_products

    def _work(self, rows: Any) -> None:
        is_heavy = (rows[:, 1] > HEAVY).any()
        multiply(self.heavy_products if is_heavy else self.products)


def count_in_python(steps: int) -> int:
    value = 1
    for step in range(steps):
        value = (value * 31 + step) & 0xFFFF
    return value


def multiply(products: int) -> None:
    for _ in range(products):
        np.matmul(FACTOR, FACTOR.T)  # of integers: no BLAS, and the GIL is free


def work_for(seconds: float, work: Any) -> int:
    """Return how much of ``work``, a function of an amount, takes ``seconds`` on this machine when
    it is idle."""
    amount = 20
    return max(1, round(amount * seconds / min(timeit.repeat(lambda: work(amount), number=1))))
