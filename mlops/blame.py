"""Says what to fix if a model fails on the sample: the rows, how they were read, or the model."""

from __future__ import annotations

import shlex

import pandas as pd

from azureml_scoring.errors import ClientError, StartupError, reason
from azureml_scoring.inputs.feature import TEXT
from mlops.read_as import MAX_NAMED, listed
from mlops.sample import dtype_of

ROW_ERRORS = (ClientError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError)
"""Exceptions that estimators raise for values that they can't take."""


def sample_failure(method: str, error: BaseException, frame: pd.DataFrame) -> StartupError:
    """Return the error to raise. ``error``: the model's, or that of the rows' validation."""
    from sklearn.exceptions import NotFittedError

    if isinstance(error, NotFittedError):
        advice = "it is not fitted: call its fit() and save it again"
    elif not isinstance(error, ROW_ERRORS):
        advice = "fix the model and save it again"
    elif texts := _texts(frame):
        options = " ".join(
            f"--dtype {shlex.quote(f'{name}=category')}" for name in texts[:MAX_NAMED]
        )
        advice = (
            f"if it was fitted on pandas' categories in {listed(texts)}, add {options}; else give "
            f"rows like those of its fit"
        )
    else:
        advice = "give rows like those of its fit; if they are, fix the model and save it again"
    return StartupError(f"The model fails on the sample ({method}: {reason(error)}); {advice}.")


def _texts(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name in frame.columns if dtype_of(name, frame[name]) == TEXT]
