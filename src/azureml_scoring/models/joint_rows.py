"""Decides how many rows of several requests a model predicts in one call.

A client must not see in its answer who asked at the same time. Many models add up numbers in
another order when they get more rows (BLAS chooses its loops by the shape), and the last bit of an
answer changes. That depends on the number of rows and on their places, hardly on their values, so
it shows in a few rows that are tried in batches of several sizes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import orjson

from azureml_scoring.errors import ScoringError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.model import Predict

MAX_JOINT_ROWS = 64

SIZES = (MAX_JOINT_ROWS, 2, 3, 13)
"""Rows of the batches that are tried."""

MIN_ROWS = 8
"""Fewer rows prove nothing, such as the single one of a model that is not packaged."""

BUDGET_S = 5.0
"""A trial that takes longer proves nothing either: the worker must start."""


def joint_rows(
    predict: Predict, rows: np.ndarray, methods: Sequence[str], *, setting: int, cheaper: bool
) -> int:
    """Return the most rows of a joint predict; 1: requests are not joined.

    ``rows``: (rows, features), which the model has answered. ``setting``: the number that the user
    wants; 0: choose. ``cheaper``: rows together take less time than one by one.
    """
    if setting:
        return setting
    return MAX_JOINT_ROWS if cheaper and same_bits(predict, rows, methods) else 1


def same_bits(
    predict: Predict,
    rows: np.ndarray,
    methods: Sequence[str],
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Return True if the rows' answers are the same, as JSON, alone and in batches of SIZES."""
    if len(rows) < MIN_ROWS:
        return False
    until = clock() + BUDGET_S
    rows = rows[:MIN_ROWS]
    for method in methods:
        try:
            alone: list[bytes] = []
            for place in range(MIN_ROWS):
                alone += _answers(predict, Batch(rows[place : place + 1], method))
                if clock() > until:
                    return False
            for size in SIZES:
                together = Batch(np.resize(rows, (size, rows.shape[1])), method)
                answers = _answers(predict, together)
                if any(answers[place] != alone[place % MIN_ROWS] for place in range(size)):
                    return False
                if clock() > until:
                    return False
        except (ScoringError, orjson.JSONEncodeError):
            return False
    return True


def _answers(predict: Predict, batch: Batch) -> list[bytes]:
    return [orjson.dumps(answer) for answer in predict(batch)]
