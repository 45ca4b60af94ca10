"""Takes from a sample the columns of the fit, and the rows that a request can hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from azureml_scoring.errors import StartupError
from azureml_scoring.models.estimators.estimator_contract import container_of
from azureml_scoring.models.estimators.known_features import names_of
from mlops.fit_categories import with_categories
from mlops.read_as import listed
from mlops.say import Say, silent


def model_columns(
    rows: pd.DataFrame, estimator: Any, signed: Sequence[str], say: Say
) -> pd.DataFrame:
    """Return the columns of the fit, with its categories, in rows that a request can hold.

    ``signed``: column names of a signature, for a model without names. Raises StartupError.
    """
    return with_categories(_finite(_select(rows, estimator, signed, say)), estimator, say)


def golden_columns(rows: pd.DataFrame, estimator: Any, signed: Sequence[str]) -> pd.DataFrame:
    """Return the columns of a file of golden rows. Raises StartupError if a row can't be kept."""
    place = "In the file of --golden-rows"
    try:
        frame = model_columns(rows, estimator, signed, silent)
    except StartupError as error:
        raise StartupError(f"{place}: {error}") from None
    if len(frame) < len(rows):
        raise StartupError(
            f"{place} are rows with infinity, or with categories that the fit did not have; remove "
            f"them."
        )
    return frame


def _select(sample: pd.DataFrame, estimator: Any, signed: Sequence[str], say: Say) -> pd.DataFrame:
    """Return the columns that the model was fitted on, in that order."""
    columns = {str(column): column for column in sample.columns}
    if names := names_of(estimator) or (list(signed) if {*signed} <= {*columns} else None):
        missing = [name for name in names if name not in columns]
        if missing:
            raise StartupError(
                f"The sample lacks columns that the model was fitted on: {', '.join(missing)}; add "
                f"them."
            )
        others = [name for name in columns if name not in set(names)]
        if others:
            say(f"  note: columns that the model does not know are left out: {', '.join(others)}")
        return sample[[columns[name] for name in names]].set_axis(names, axis=1)
    texts = container_of(estimator, ()) == "list"
    count = 1 if texts else getattr(estimator, "n_features_in_", None) or len(sample.columns)
    if len(sample.columns) != count:
        raise StartupError(
            f"The sample has {len(sample.columns)} columns "
            f"({', '.join(map(str, sample.columns))}), the model takes {count}; leave out what it "
            f"was not fitted on, such as the target, with --drop COLUMN."
        )
    if count > 1 and list(columns) != list(map(str, range(count))):
        say(
            f"  note: the model has no column names, so the columns are taken in the sample's "
            f"order ({listed(list(sample.columns))}): check that it is the order of the fit"
        )
    return sample


def _finite(frame: pd.DataFrame) -> pd.DataFrame:
    """Drop rows with infinity, which no request can hold."""
    numbers = frame.select_dtypes("number").to_numpy(dtype=float, na_value=np.nan)
    finite: pd.DataFrame = frame[~np.isinf(numbers).any(axis=1)]
    if finite.empty:
        raise StartupError(
            "Each row of the sample holds infinity, which no request can; give others."
        )
    return finite
