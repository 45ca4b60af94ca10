"""The distribution of a model's answers to the sample, which the service watches for drift."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from azureml_scoring.errors import ScoringError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.models.answer_columns import answer_columns
from azureml_scoring.models.baseline import MIN_BASELINE_ROWS, Baseline
from azureml_scoring.models.drift_rule import FILE_LEVEL, measure, pooled
from azureml_scoring.models.model import Predict
from mlops.say import Say

MAX_ANSWERED_ROWS, ANSWERED_AT_ONCE, MAX_ANSWER_S = 10_000, 500, 10.0
"""Rows that a method answers for its baseline, and how long that may take."""

MOVED_RANKS = 0.02
"""How far a number is moved, in shares of its column's rows."""


def answer_baselines(
    X: np.ndarray, contract: Contract, predict: Predict, say: Say
) -> tuple[Baseline, ...]:
    """Return a baseline for each column of the answers; none for a method that answers other rows
    like the sample's otherwise, because it was fitted on the sample itself.

    X: (rows, features) of the sample.
    """
    X = X[np.random.default_rng(0).permutation(len(X))[:MAX_ANSWERED_ROWS]]
    kept: list[Baseline] = []
    for method in contract.methods:
        columns = _columns(predict, X, method)
        moved = _columns(predict, _moved(X[: _rows(columns)], contract), method)
        baselines = [
            Baseline.of(name, answers, numeric=all(map(_number, answers)))
            for name, answers in columns.items()
            if len(answers) >= MIN_BASELINE_ROWS
        ]
        if all(
            baseline.name in moved and _alike(baseline, moved[baseline.name], len(baselines))
            for baseline in baselines
        ):
            kept += baselines
        else:
            say(
                f"  note: {method} answers the sample's rows otherwise than others like them, as "
                f"after a fit on them; give held-out rows as sample to have its answers watched"
            )
    return tuple(kept)


def _columns(predict: Predict, X: np.ndarray, method: str) -> dict[str, list[Any]]:
    """Return the answers to as many rows as time allows."""
    answers: list[Any] = []
    started = time.monotonic()
    for start in range(0, len(X), ANSWERED_AT_ONCE):
        if time.monotonic() - started > MAX_ANSWER_S:
            break
        try:
            answers += predict(Batch(X[start : start + ANSWERED_AT_ONCE], method))
        except ScoringError:
            return {}
    return answer_columns(method, answers)


def _rows(columns: dict[str, list[Any]]) -> int:
    return min(map(len, columns.values()), default=0)


def _alike(baseline: Baseline, answers: Sequence[Any], columns: int) -> bool:
    then, now = (pooled(baseline, counts) for counts in (baseline.counts, baseline.count(answers)))
    return not measure(then, now).drifted(columns, FILE_LEVEL)


def _moved(X: np.ndarray, contract: Contract) -> np.ndarray:
    """Return the rows with each number replaced by one that lies near it in its column."""
    rng = np.random.default_rng(0)
    moved = X.copy()
    for place, feature in enumerate(contract.features):
        if not feature.numeric or feature.categories:
            continue
        numbers = X[:, place].astype(float)
        present = np.flatnonzero(~np.isnan(numbers))
        if not len(present):
            continue
        order = present[np.argsort(numbers[present], kind="stable")]
        reach = max(1, round(MOVED_RANKS * len(order)))
        ranks = np.arange(len(order)) + rng.integers(-reach, reach + 1, len(order))
        moved[order, place] = X[order[np.clip(ranks, 0, len(order) - 1)], place]
    return moved


def _number(answer: Any) -> bool:
    return answer is None or (isinstance(answer, int | float) and not isinstance(answer, bool))
