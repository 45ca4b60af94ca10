"""Gives a sample's columns the pandas categories of the fit, if the model holds them."""

from __future__ import annotations

import pandas as pd

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.feature import CATEGORY, Feature
from mlops.read_as import fitted_types, listed
from mlops.say import Say


def with_categories(frame: pd.DataFrame, estimator: object, say: Say) -> pd.DataFrame:
    """Cast the columns, and leave out rows with categories that the fit did not have.

    Raises StartupError if no row is left.
    """
    types = fitted_types(estimator, list(frame.columns))
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
