"""Tries how a model takes values that its fit did not have, in columns whose values it knows.

One that answers them keeps its answer: an encoder ignores them, or has a code for them. One that
refuses them all takes no others than it knows, and the contract lists those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from azureml_scoring.errors import ScoringError, StartupError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import ANY, CATEGORY, TEXT, Feature, Scalar
from azureml_scoring.models import golden_check
from azureml_scoring.models.estimators.fitted_columns import fitted_columns
from azureml_scoring.models.estimators.predictor import Predictor
from mlops.finite_columns import finite_column
from mlops.golden_selection import spread
from mlops.probe import answered_row
from mlops.read_as import listed
from mlops.say import Say

MAX_LISTED_VALUES = 1_000
"""Known values of a column that a contract lists; more would make each manifest long."""

TRIED_VALUES = 4
"""Values that the fit did not have, to try of each column."""


def with_known_values(
    contract: Contract, estimator: Any, frame: pd.DataFrame, say: Say
) -> tuple[Contract, pd.DataFrame]:
    """Return the contract that says what each column takes, and the rows that it allows.

    Raises StartupError if no row is left.
    """
    fitted = fitted_columns(estimator, len(contract.features))
    known = list(map(_known_values, contract.features, fitted))
    lenient = replace(contract, features=tuple(map(_lenient, contract.features, known)))
    trial = _Trial(estimator, lenient, answered_row(contract, estimator, frame))
    others = [
        _some(finite_column(place, lenient.features[place], values).others) if values else []
        for place, values in enumerate(known)
    ]
    answers = trial.answers([(j, value) for j, values in enumerate(others) for value in values[:1]])
    features = list(contract.features)
    for place, values in enumerate(others):
        if not values:
            continue
        first, *rest = [(place, value) for value in values]
        alike = all(is_answered == answers[first] for is_answered in trial.answers(rest).values())
        if alike and answers[first] and features[place].dtype == CATEGORY:
            features[place] = lenient.features[place]
        elif alike and not answers[first] and features[place].dtype != CATEGORY:
            features[place] = _closed(features[place], place, known[place], trial)
    _note_on_strangers(frame, estimator, say)
    closed = [
        place
        for place, (feature, before) in enumerate(zip(features, contract.features, strict=True))
        if len(feature.categories) > len(before.categories)
    ]
    if closed:
        names = listed([str(frame.columns[place]) for place in closed])
        say(f"  note: the manifest lists the fit's values of {names}: the model refuses all others")
    contract = replace(contract, features=tuple(features))
    return contract, _allowed(frame, contract, say)


def _some(values: list[Scalar]) -> list[Scalar]:
    return [values[place] for place in spread(len(values), TRIED_VALUES)]


def _known_values(feature: Feature, fitted: Feature) -> list[Scalar]:
    """Return the values that a column had at the fit, if it may take others; none if unknown.

    XGBoost (3.2) takes a category that it does not know for a known one, and refuses only the last
    of them in order: its columns of categories take no others.
    """
    known = list(fitted.categories)
    if feature.dtype == CATEGORY:
        refused = fitted.dtype == CATEGORY and not fitted.unseen
        return list(feature.categories) if known and not refused else []
    kinds: tuple[type, ...] = (str,) if feature.dtype == TEXT else (int, float)
    if not (feature.dtype == TEXT or feature.numeric) or len(known) > MAX_LISTED_VALUES:
        return []
    return known if all(type(value) in kinds for value in known) else []


def _lenient(feature: Feature, known: list[Scalar]) -> Feature:
    return replace(feature, unseen=True) if known and feature.dtype == CATEGORY else feature


def _closed(feature: Feature, place: int, known: list[Scalar], trial: _Trial) -> Feature:
    """Return a column of nothing but known values, if the model answers those."""
    if all(trial.answers([(place, value) for value in known]).values()):
        return replace(feature, categories=tuple(known))
    return feature


def _allowed(frame: pd.DataFrame, contract: Contract, say: Say) -> pd.DataFrame:
    """Leave out rows with values that the contract does not list. Raises StartupError."""
    strange = pd.DataFrame(
        {
            name: ~frame[name].isin(feature.categories) & frame[name].notna()
            for name, feature in zip(frame.columns, contract.features, strict=True)
            if feature.categories and feature.dtype != CATEGORY
        },
        index=frame.index,
    )
    rows = strange.any(axis=1)
    if not rows.any():
        return frame
    left_out = (
        f"{int(rows.sum()):,} rows with values in {listed(list(strange.columns[strange.any()]))} "
        f"that the model refuses, since its fit did not have them"
    )
    if rows.all():
        raise StartupError(f"The sample has only {left_out}; give rows like those of the fit.")
    say(f"  note: leaving out {left_out}")
    return frame[~rows]


def _note_on_strangers(frame: pd.DataFrame, estimator: Any, say: Say) -> None:
    """Name the columns of which the model knows no value: their types may be wrong."""
    fitted = fitted_columns(estimator, len(frame.columns))
    strangers = [
        name
        for name, feature in zip(frame.columns, fitted, strict=True)
        if feature.dtype != ANY
        and feature.categories
        and not frame[name].isin(feature.categories).any()
    ]
    if strangers:
        say(
            f"  note: the model knows no value of the sample in {listed(strangers)}: if those have "
            f"another type than at the fit, say which by --text COLUMN or --dtype COLUMN=DTYPE"
        )


class _Trial:
    """Asks for one row, with another value in one column."""

    def __init__(self, estimator: Any, contract: Contract, answered: list[Any]) -> None:
        self._predict = Predictor(estimator, contract)
        self._contract = contract
        self._row = golden_check.batch_of([answered], contract).X

    def answers(self, changes: Sequence[tuple[int, Any]]) -> dict[tuple[int, Any], bool]:
        """Return for each column and value whether the model answers."""
        if not changes:
            return {}
        X = np.repeat(self._row, len(changes), axis=0)
        for row, (place, value) in zip(X, changes, strict=True):
            row[place] = value
        try:
            self._predict(Batch(X, self._contract.methods[0]))
        except ScoringError:
            if len(changes) == 1:
                return dict.fromkeys(changes, False)
            half = len(changes) // 2
            return self.answers(changes[:half]) | self.answers(changes[half:])
        return dict.fromkeys(changes, True)
