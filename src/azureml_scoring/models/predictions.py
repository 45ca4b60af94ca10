"""What a model answered: one entry a row, its NaN and infinities counted, its JSON."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import orjson

from azureml_scoring.errors import ModelFailed


def per_row(output: Any) -> list[Any]:
    """What an estimator returned, as a list with one entry a row: of numbers, texts or lists of
    them.

    Raises ModelFailed where it is none, such as a text.
    """
    if hasattr(output, "toarray"):
        output = output.toarray()
    if isinstance(output, list):
        if output and isinstance(output[0], np.ndarray) and output[0].ndim:
            # predict_proba of several targets: an array for each
            return [list(row) for row in zip(*(target.tolist() for target in output), strict=True)]
        return [_listed(row) for row in output]  # an array of them might turn numbers into texts
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
    """How many NaN and infinities there are among nested lists of answers."""
    if isinstance(answers, list):
        try:
            if math.isfinite(sum(answers)):  # so each is
                return 0
        except (TypeError, OverflowError):  # of lists and texts; of whole numbers beyond any float
            pass
        return sum(map(non_finite, answers))
    if isinstance(answers, dict):
        return sum(map(non_finite, answers.values()))
    return int(isinstance(answers, float | np.floating) and not math.isfinite(answers))


def to_json(answers: Any) -> bytes:
    """NaN and infinity are written as null. Raises ModelFailed."""
    try:
        return orjson.dumps(answers, default=_plain)
    except TypeError as error:
        raise ModelFailed("The model answered with values that JSON can't hold.") from error


def _plain(value: Any) -> Any:
    """numpy's scalars and arrays inside of object arrays."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(type(value).__name__)
