"""Checks golden rows: at start the model must answer them as it did at packaging."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Container
from typing import Any

import orjson

from azureml_scoring.errors import ScoringError, StartupError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import METHODS, Contract
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.models.files.manifest import RETRAIN, Manifest
from validation import validate

RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 1e-6, 1e-9
"""Processors differ in an answer's last digits, another model in its first."""

NO_LIMITS = Limits(*[sys.maxsize] * 5)


def check(
    packaged: Manifest,
    predict: Callable[[Batch], list[Any]],
    tolerance: float = RELATIVE_TOLERANCE,
    methods: Container[str] = METHODS,
) -> None:
    """Compare the answers to the golden rows with the manifest's. Raises StartupError."""
    saved = ", ".join(f"{package} {version}" for package, version in packaged.versions.items())
    for method, expected in packaged.golden_answers.items():
        if method not in methods:
            continue
        try:
            rows = batch_of(packaged.golden_rows, packaged.contract)
            answers = predict(Batch(rows.X, method))
        except ScoringError as error:
            raise StartupError(
                f"The model fails on its golden rows ({method}: "
                f"{type(error.__cause__ or error).__name__}); install the versions it was packaged "
                f"with ({saved}), or {RETRAIN}."
            ) from error
        if not same_answers(answers, expected, tolerance):
            raise StartupError(
                f"The model answers its golden rows otherwise than when it was packaged "
                f"({method}); install the versions of then ({saved}), or {RETRAIN}."
            )


def batch_of(rows: list[list[Any]], contract: Contract) -> Batch:
    """Validate rows of plain values like a request, without limits. Raises ClientError."""
    return validate(orjson.dumps({"data": rows}), contract, NO_LIMITS)


def same_answers(answer: Any, expected: Any, tolerance: float = RELATIVE_TOLERANCE) -> bool:
    """Compare nested lists: numbers within the tolerance, everything else exactly."""
    if isinstance(expected, list):
        if not isinstance(answer, list) or len(answer) != len(expected):
            return False
        return all(
            same_answers(one, other, tolerance) for one, other in zip(answer, expected, strict=True)
        )
    if isinstance(expected, float) and isinstance(answer, float):
        return math.isclose(
            answer,
            expected,
            rel_tol=tolerance,
            abs_tol=ABSOLUTE_TOLERANCE if tolerance == RELATIVE_TOLERANCE else tolerance,
        )
    return bool(answer == expected)
