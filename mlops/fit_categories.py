"""Gives a sample's columns the pandas categories of the fit, if the model holds them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.contract import METHODS, Contract
from azureml_scoring.inputs.feature import ANY, CATEGORY, Feature
from azureml_scoring.models import golden_check
from azureml_scoring.models.estimators.booster_features import booster_features
from azureml_scoring.models.estimators.estimator_contract import container_of
from azureml_scoring.models.estimators.known_features import first_step
from azureml_scoring.models.estimators.predictor import Predictor
from mlops import sample as samples
from mlops.csv_file import ColumnTypes
from mlops.read_as import fitted_types, listed
from mlops.say import Say

TRIED_ROWS = 10
"""Rows on which the model has to answer alike."""


def with_categories(frame: pd.DataFrame, estimator: object, say: Say) -> pd.DataFrame:
    """Cast the columns, and leave out rows with categories that the fit did not have.

    Raises StartupError if no row is left.
    """
    types = fitted_types(estimator, list(frame.columns))
    frame = _without_needless(frame, types, estimator)
    cast = {
        name: column
        for name in frame.columns
        if (column := _cast(frame[name], types.get(name), say)) is not None
    }
    if not cast:
        return frame
    lost = pd.DataFrame(
        {name: column.isna() & frame[name].notna() for name, column in cast.items()}
    )
    rows = lost.any(axis=1)
    if rows.any():
        names = list(lost.columns[lost.any()])
        left_out = (
            f"{int(rows.sum()):,} rows with categories in {listed(names)} that the fit did not have"
        )
        if rows.all():
            raise StartupError(f"The sample has only {left_out}; give rows like those of the fit.")
        say(f"  note: leaving out {left_out}")
    return pd.DataFrame({name: cast.get(name, frame[name]) for name in frame.columns})[~rows]


def _without_needless(frame: pd.DataFrame, types: ColumnTypes, estimator: object) -> pd.DataFrame:
    """Make plain values of categories that an encoder takes as such: a CSV has no others.

    The encoder holds what it knows, so the model can't tell them apart; it is tried all the same.
    """
    # CatBoost takes the values of its categories, whatever the column's dtype.
    own = zip(frame.columns, booster_features(first_step(estimator)) or (), strict=False)
    encoded = {name for name, feature in types.items() if feature.dtype != CATEGORY} | {
        name for name, feature in own if feature.dtype == ANY
    }
    needless = [
        name
        for name in frame.columns
        if name in encoded and isinstance(frame[name].dtype, pd.CategoricalDtype)
    ]
    if not needless:
        return frame
    plain = frame.astype(dict.fromkeys(needless, object)).infer_objects()
    return plain if _answers_alike(estimator, frame.head(TRIED_ROWS), plain) else frame


def _answers_alike(estimator: Any, frame: pd.DataFrame, plain: pd.DataFrame) -> bool:
    try:
        one, other = (_answers(estimator, rows) for rows in (frame, plain.loc[frame.index]))
    except Exception:  # the model needs categories, or fails on both
        return False
    return golden_check.same_answers(one, other)


def _answers(estimator: Any, frame: pd.DataFrame) -> list[Any]:
    """Return the answers as the service gives them, which has None and NaN as at the fit."""
    features = tuple(replace(feature, missing=True) for feature in samples.features_of(frame))
    method = next((name for name in METHODS if hasattr(estimator, name)), METHODS[0])
    contract = Contract(features, (method,), container_of(estimator, features))
    return Predictor(estimator, contract)(golden_check.batch_of(samples.rows_of(frame), contract))


def _cast(column: pd.Series, fitted: Feature | None, say: Say) -> pd.Series | None:
    """Return the column as categories; None if it holds none."""
    known = fitted.categories if fitted else ()
    if fitted and fitted.dtype == CATEGORY and known:
        values = column.astype(object).where(column.isin(known))
        return pd.Series(pd.Categorical(values, categories=list(known)), index=column.index)
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return None
    own = list(column.dtype.categories)
    if not known:
        say(
            f"  note: the categories of {column.name} are those of the sample, in this order: "
            f"{listed(own)}; the model does not hold its own, so check that they are those of the "
            f"fit"
        )
    return column.cat.add_categories([category for category in known if category not in own])
