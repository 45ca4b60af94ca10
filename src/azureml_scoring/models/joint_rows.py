"""Decides how many rows of several requests a model predicts in one call.

A client must not see in its answer who asked at the same time. Many models add up numbers in
another order when they get more rows (BLAS chooses its loops by the shape), and the last bit of an
answer changes. That depends on the number of rows and on their places, hardly on their values, so
it shows in a few rows that are tried in batches of several sizes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import orjson

from azureml_scoring.errors import ScoringError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.concurrency import Concurrency
from azureml_scoring.models.model import Predict

MAX_JOINT_ROWS = 64

SIZES = (2, 3, 13)
"""Rows of the batches that are tried, beside the largest."""

MIN_ROWS = 8
"""Fewer rows prove nothing, such as the single one of a model that is not packaged."""

BUDGET_S = 5.0
"""A trial that takes longer proves nothing either: the worker must start."""


class JointRows(NamedTuple):
    """``most``: rows of a joint predict; 1: requests are not joined. ``reason``: why, for
    operators."""

    most: int
    reason: str


def joint_rows(
    predict: Predict,
    rows: np.ndarray,
    methods: Sequence[str],
    *,
    setting: int,
    concurrency: Concurrency | None,
    one_engine: int = MAX_JOINT_ROWS,
) -> JointRows:
    """Decide how many rows are joined.

    ``rows``: (rows, features), which the model has answered. ``setting``: the number that the user
    wants; 0: choose. ``concurrency``: what the trial says; None for a quick model. ``one_engine``:
    up to how many rows the engine that answers one row answers.
    """
    most = min(MAX_JOINT_ROWS, one_engine)
    if setting:
        state = f"on, up to {setting} rows" if setting > 1 else "off"
        return JointRows(setting, f"{state}: SCORING_MICRO_BATCH_ROWS is set")
    if concurrency is None:
        why = "the model is quick, and hardly a request waits for a slot"
    elif concurrency.rows_together_are_cheaper is None:
        why = f"a call takes {concurrency.wall_s:.1f} s, too long to try several rows at start"
    elif not concurrency.rows_together_are_cheaper:
        why = "rows together take about as long as one by one"
    elif most < 2:
        why = "several rows have another engine than one"
    else:
        why = why_apart(predict, rows, methods, most)
    if why:
        return JointRows(1, f"off: {why}")
    return JointRows(
        most,
        f"on, up to {most} rows: they take less time together, and answers are the same "
        "to the last bit",
    )


def why_apart(
    predict: Predict,
    rows: np.ndarray,
    methods: Sequence[str],
    most: int = MAX_JOINT_ROWS,
    clock: Callable[[], float] = time.monotonic,
) -> str:
    """Return why rows must be predicted apart; an empty string if their answers are the same, as
    JSON, alone and in batches of SIZES and of ``most`` rows."""
    if len(rows) < MIN_ROWS:
        return f"a package with {MIN_ROWS} golden rows would show whether answers stay the same"
    until = clock() + BUDGET_S
    rows = rows[:MIN_ROWS]
    too_slow = f"comparing answers alone and together takes more than {BUDGET_S:g} s"
    for method in methods:
        try:
            alone: list[bytes] = []
            for place in range(MIN_ROWS):
                alone += _answers(predict, Batch(rows[place : place + 1], method))
                if clock() > until:
                    return too_slow
            for size in (most, *(size for size in SIZES if size < most)):
                together = Batch(np.resize(rows, (size, rows.shape[1])), method)
                answers = _answers(predict, together)
                if any(answers[place] != alone[place % MIN_ROWS] for place in range(size)):
                    return f"answers of {method} change when rows are predicted together"
                if clock() > until:
                    return too_slow
        except (ScoringError, orjson.JSONEncodeError):
            return f"the model does not answer {method} for several rows"
    return ""


def _answers(predict: Predict, batch: Batch) -> list[bytes]:
    return [orjson.dumps(answer) for answer in predict(batch)]
