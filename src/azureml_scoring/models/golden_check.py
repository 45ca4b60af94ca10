"""Golden rows: what was asked at packaging is asked again, and must be answered alike, before a
request is taken."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import orjson

from azureml_scoring.errors import ScoringError, StartupError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.payload import Limits
from azureml_scoring.models.files.manifest import RETRAIN, Manifest
from validation import validate

RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 1e-6, 1e-9
"""How far an answer may be off: processors differ in the last digits, models in the first."""

NO_LIMITS = Limits(*[sys.maxsize] * 5)


def check(
    packaged: Manifest, predict: Callable[[Batch], list[Any]], tolerance: float = RELATIVE_TOLERANCE
) -> None:
    """Raises StartupError."""
    saved = ", ".join(f"{package} {version}" for package, version in packaged.versions.items())
    for method, expected in packaged.golden_answers.items():
        try:
            rows = batch_of(packaged.golden_rows, packaged.contract)
            answers = predict(Batch(rows.X, method))
        except ScoringError as error:
            raise StartupError(
                f"The model fails on its golden rows ({method}: "
                f"{type(error.__cause__ or error).__name__}); "
                f"install the versions it was packaged with ({saved}), or {RETRAIN}."
            ) from error
        if not same_answers(answers, expected, tolerance):
            raise StartupError(
                f"The model answers its golden rows otherwise than when it was packaged "
                f"({method}); "
                f"install the versions of then ({saved}), or {RETRAIN}."
            )


def batch_of(rows: list[list[Any]], contract: Contract) -> Batch:
    """Rows of plain values, by the way that a request takes, in spite of all limits. Raises
    ClientError."""
    return validate(orjson.dumps({"data": rows}), contract, NO_LIMITS)


def same_answers(answer: Any, wanted: Any, tolerance: float = RELATIVE_TOLERANCE) -> bool:
    """Numbers within a tolerance, relative or of the size 1, everything else equal, in nested
    lists."""
    if isinstance(wanted, list):
        if not isinstance(answer, list) or len(answer) != len(wanted):
            return False
        return all(
            same_answers(given, other, tolerance)
            for given, other in zip(answer, wanted, strict=True)
        )
    if isinstance(wanted, float) and isinstance(answer, float):
        return math.isclose(
            answer,
            wanted,
            rel_tol=tolerance,
            abs_tol=ABSOLUTE_TOLERANCE if tolerance == RELATIVE_TOLERANCE else tolerance,
        )
    return bool(answer == wanted)
