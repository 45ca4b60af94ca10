"""Turns a model's output into one answer per row, counts NaN and infinities, and writes JSON."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import orjson

from azureml_scoring.errors import ModelFailed

NOT_FINITE = (
    "The model's answer to these values is NaN or infinite, as the logarithm of a probability of 0 "
    "is, and JSON has neither; ask for another method, or have SCORING_NON_FINITE_OUTPUT=null "
    "write null."
)


def per_row(output: Any) -> list[Any]:
    """Return an estimator's output as a list with one entry per row: numbers, texts or lists.

    Raises ModelFailed if the output has no rows, such as a single text.
    """
    if hasattr(output, "toarray"):
        output = output.toarray()
    if isinstance(output, list):
        if output and isinstance(output[0], np.ndarray) and output[0].ndim:
            # predict_proba with several targets returns one array per target.
            return [list(row) for row in zip(*(target.tolist() for target in output), strict=True)]
        return [_listed(row) for row in output]  # np.asarray might turn numbers into texts
    rows = np.asarray(output).tolist()
    if not isinstance(rows, list):
        raise ModelFailed(
            f"The model answered with a {type(output).__name__} in place of one answer a row."
        )
    return rows


def _listed(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_listed(part) for part in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def non_finite(answers: Any) -> int:
    """Count NaN and infinities in nested lists of answers."""
    if isinstance(answers, list):
        try:
            if math.isfinite(sum(answers)):  # then every answer is finite
                return 0
        except (TypeError, OverflowError):  # lists or texts; whole numbers beyond any float
            pass
        return sum(map(non_finite, answers))
    if isinstance(answers, dict):
        return sum(map(non_finite, answers.values()))
    return int(isinstance(answers, float | np.floating) and not math.isfinite(answers))


def to_json(answers: Any) -> bytes:
    """Write answers as JSON, with null for NaN and infinity. Raises ModelFailed."""
    try:
        return orjson.dumps(answers, default=_plain)
    except TypeError as error:
        raise ModelFailed("The model answered with values that JSON can't hold.") from error


def _plain(value: Any) -> Any:
    """Convert numpy scalars and arrays that lie inside object arrays."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(type(value).__name__)
