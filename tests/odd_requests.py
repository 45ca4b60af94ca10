"""Requests with odd values, and how answers to them are compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from azureml_scoring.errors import ScoringError
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.models.model import Model
from azureml_scoring.models.predictions import non_finite
from mlops.parity import TOLERANCE
from mlops.sample import rows_of
from validation import validate

ODD: dict[str, Any] = {
    "unknown code": 4,
    "between codes": 3.7,
    "a little off": 3.0000000000000004,
    "missing": None,
    "huge": 1e300,
    "beyond float32": 1e39,
    "whole and large": 2**53 + 1,
    "beyond int64": 2**64,
    "tiny": 5e-324,
    "small": 1e-30,
    "zero": 0,
    "negative zero": -0.0,
    "negative": -3,
    "fraction": 0.5,
    "text for a number": "3",
    "other text": "Bergen",
    "boolean": True,
}

ODD_TEXTS: dict[str, Any] = {
    "empty text": "",
    "space": " ",
    "text of a number": "1.0",
    "text of nothing": "nan",
    "not ASCII": "Zürich 北京",
    "long text": "x" * 3_000,
}

Outcome = tuple[str, Any]
"""``ok`` or an error's code, and the answers."""

Request = tuple[str, list[list[Any]]]
"""What is in it, and its rows."""


def body_of(rows: list[list[Any]], method: str) -> bytes:
    return json.dumps({"data": rows, "method": method}).encode()


def requests(frame: pd.DataFrame, odd: dict[str, Any] = ODD) -> Iterator[Request]:
    """Yield rows of the sample, and rows with an odd value in one place or in all."""
    known = rows_of(frame.head(40))
    yield "rows of the sample", known
    width = len(known[0])
    for what, value in odd.items():
        for place in [*range(width), None]:
            row = (
                [value] * width
                if place is None
                else [*known[0][:place], value, *known[0][place + 1 :]]
            )
            yield f"{what} in {'all places' if place is None else place}", [row]
            if place in (0, None):
                yield f"{what} in {place} beside others", [known[1], row, known[2]]


def outcome(model: Model, body: bytes) -> Outcome:
    """Score like the service, which refuses answers that are not finite."""
    try:
        answers = model.predict(validate(body, model.contract, Limits()))
    except ScoringError as error:
        return error.code, error.location
    return ("not_finite", None) if non_finite(answers) else ("ok", answers)


def same(given: Any, wanted: Any, scale: float = 1.0) -> bool:
    """Numbers may be apart by what packaging allows. ``scale``: the size of usual answers."""
    if isinstance(wanted, list | tuple):
        return (
            type(given) is type(wanted)
            and len(given) == len(wanted)
            and all(same(one, other, scale) for one, other in zip(given, wanted, strict=True))
        )
    if isinstance(wanted, float):
        return isinstance(given, float) and abs(given - wanted) <= TOLERANCE * max(
            scale, abs(wanted)
        )
    return type(given) is type(wanted) and bool(given == wanted)


def size_of(answers: Any) -> float:
    """Return the largest number of some answers, at least 1."""
    numbers = np.asarray(answers)
    return float(np.abs(numbers).max(initial=1.0)) if numbers.dtype.kind == "f" else 1.0
