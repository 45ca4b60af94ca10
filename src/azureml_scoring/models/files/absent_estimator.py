"""Stands in for an estimator that is not in the artifact: only its compiled form is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from azureml_scoring.errors import ModelRefusedInput
from azureml_scoring.inputs.contract import METHODS


class AbsentEstimator:
    """Refuses what the compiled form leaves to the estimator.

    ``saved_with``: what would be needed for that estimator, such as "scikit-learn 1.1.3".
    """

    def __init__(self, saved_with: str) -> None:
        self._saved_with = saved_with

    def __getattr__(self, name: str) -> Callable[[Any], NoReturn]:
        if name in METHODS:
            return self.refuse
        raise AttributeError(name)

    def refuse(self, rows: Any) -> NoReturn:
        """Raise ModelRefusedInput."""
        raise ModelRefusedInput(
            f"The model refused the values: their types and shape are right, but at least one is "
            f"beyond what its compiled form is proven for, such as an unknown category or a "
            f"number too large, and its estimator ({self._saved_with}) is not in the service."
        )
