"""What a model answered: one entry a row, its NaN and infinities counted, its JSON."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import orjson

from errors import ModelFailed


def per_row(output: Any) -> list[Any]:
    """What an estimator returned, as a list with one entry a row: of numbers, texts or lists of them."""
    if hasattr(output, "toarray"):
        output = output.toarray()
    if isinstance(output, list) and output and isinstance(output[0], np.ndarray):
        # predict_proba of several targets: an array for each
        return [list(row) for row in zip(*(np.asarray(target).tolist() for target in output), strict=True)]
    rows: list[Any] = np.asarray(output).tolist()
    return rows


def non_finite(answers: Any) -> int:
    """How many NaN and infinities there are among nested lists of answers."""
    if isinstance(answers, list):
        try:
            if math.isfinite(sum(answers)):  # so each is
                return 0
        except (TypeError, OverflowError):  # of lists and texts; of whole numbers beyond any float
            pass
        return sum(map(non_finite, answers))
    return int(isinstance(answers, float | np.floating) and not math.isfinite(answers))


def to_json(answers: Any) -> bytes:
    """NaN and infinity are written as null. Raises ModelFailed."""
    try:
        return orjson.dumps(answers, default=_plain)
    except TypeError as error:
        raise ModelFailed("The model answered with values that JSON can't hold.") from error


def _plain(value: Any) -> Any:
    """numpy's scalars inside of object arrays."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(type(value).__name__)
