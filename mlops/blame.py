"""Says what to fix if a model fails on the sample: the rows, how they were read, or the model."""

from __future__ import annotations

import shlex

import pandas as pd

from azureml_scoring.errors import ClientError, StartupError, reason
from mlops.read_as import MAX_NAMED, all_moments, listed

ROW_ERRORS = (ClientError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError)
"""Exceptions that estimators raise for values that they can't take."""


def sample_failure(method: str, error: BaseException, frame: pd.DataFrame) -> StartupError:
    """Return the error to raise. ``error``: the model's, or that of the rows' validation."""
    from sklearn.exceptions import NotFittedError

    if isinstance(error, NotFittedError):
        advice = "it is not fitted: call its fit() and save it again"
    elif not isinstance(error, ROW_ERRORS):
        advice = "fix the model and save it again"
    elif dates := _dates(frame):
        options = " ".join(
            f"--dtype {shlex.quote(f'{name}=datetime')}" for name in dates[:MAX_NAMED]
        )
        advice = (
            f"dates or times are read as texts in {listed(dates)}: if the model was fitted on "
            f"datetimes, add {options}; else give rows like those of its fit"
        )
    else:
        advice = "give rows like those of its fit; if they are, fix the model and save it again"
    return StartupError(f"The model fails on the sample ({method}: {reason(error)}); {advice}.")


def _dates(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name in frame.columns if all_moments(frame[name].dropna())]
