"""Reads texts as datetimes if the model answers only then, and keeps the unit that matters to it.

Neither a CSV nor JSON has datetimes, and few models say that they were fitted on them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd

from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import DATETIME, TEXT, Feature
from mlops.read_as import all_moments, fitted_types, listed
from mlops.sample import apply_types, dtype_of
from mlops.say import Say

Answers = Callable[[pd.DataFrame], bool]
"""Whether the model answers rows of a frame."""

OTHER_UNIT = "us"
"""pandas' own for datetimes of a CSV from version 3 on; it was "ns" before."""


def with_dates(frame: pd.DataFrame, estimator: Any, answers: Answers, say: Say) -> pd.DataFrame:
    """Return the frame, with datetimes in place of texts that the model fails on."""
    known = fitted_types(estimator, list(frame.columns))
    names = [
        str(name)
        for name in frame.columns
        if name not in known
        and dtype_of(name, frame[name]) == TEXT
        and all_moments(frame[name].dropna())
    ]
    if not names or answers(frame):
        return frame
    for dates in (names, *([name] for name in names if len(names) > 1)):
        dated = apply_types(frame, {name: Feature(name, DATETIME) for name in dates})
        if answers(dated):
            say(
                f"  note: {listed(dates)}: read as dates or times, since the model fails on texts "
                f"there"
            )
            return dated
    return frame


def with_unit(contract: Contract, alike: Callable[[Contract], bool], say: Say) -> Contract:
    """Use nanoseconds, unless the model answers otherwise than in the unit of the sample.

    ``alike``: whether it gives the same answers by another contract.
    """
    if not any(feature.dtype == DATETIME for feature in contract.features):
        return contract
    usual = _in_unit(contract, "ns")
    if usual != contract:
        return usual if alike(usual) else contract
    if not alike(_in_unit(contract, OTHER_UNIT)):
        names = [feature.name for feature in contract.features if feature.dtype == DATETIME]
        say(
            f"  note: the model answers otherwise for datetime64[{OTHER_UNIT}] than for "
            f"datetime64[ns], which it gets in {listed(names)}: if it was fitted on another unit, "
            f"give the sample as Parquet, which holds it"
        )
    return contract


def _in_unit(contract: Contract, unit: Any) -> Contract:
    features = tuple(
        replace(feature, unit=unit) if feature.dtype == DATETIME else feature
        for feature in contract.features
    )
    return replace(contract, features=features)
