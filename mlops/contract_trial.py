"""Tries whether a model answers alike by another contract, and alike when rows come as JSON."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from azureml_scoring.errors import ScoringError, StartupError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.models import golden_check
from azureml_scoring.models.estimators.known_features import MAX_EXACT_INTEGER
from azureml_scoring.models.estimators.predictor import Predictor
from azureml_scoring.models.predictions import non_finite, per_row


def with_fractions(
    contract: Contract, frame: pd.DataFrame, alike: Callable[[Contract], bool]
) -> Contract:
    """Let columns that happen to hold whole numbers take fractions too.

    Columns beyond a float's precision stay, and those where 1 and 1.0 get different answers.
    ``alike``: whether the model gives the same answers by another contract.
    """

    def opened(places: Sequence[int]) -> Contract:
        features = list(contract.features)
        for place in places:
            features[place] = dataclasses.replace(features[place], dtype="float64")
        return dataclasses.replace(contract, features=tuple(features))

    def free(places: list[int]) -> list[int]:
        if not places or alike(opened(places)):
            return places
        half = len(places) // 2
        return free(places[:half]) + free(places[half:]) if half else []

    whole = [
        place
        for place, (feature, name) in enumerate(zip(contract.features, frame.columns, strict=True))
        if feature.dtype.startswith(("int", "uint"))
        and bool((frame[name].dropna().abs() <= MAX_EXACT_INTEGER).all())
    ]
    widened = opened(free(whole))
    return widened if alike(widened) else contract


def answers_alike(
    rows: list[list[Any]], estimator: Any, contract: Contract, answers: dict[str, list[Any]]
) -> bool:
    """Return whether the model certainly gives the same ``answers`` by another contract."""
    batch = golden_check.batch_of(rows, contract)
    try:
        others = [Predictor(estimator, contract)(Batch(batch.X, method)) for method in answers]
    except ScoringError:
        return False
    return golden_check.same_answers(_comparable(others), _comparable(list(answers.values())))


def _comparable(answers: Any) -> Any:
    """Replace NaN and infinity by texts, which equal themselves."""
    if isinstance(answers, list):
        return [_comparable(answer) for answer in answers]
    return str(answers) if non_finite(answers) else answers


def check_json_answers(
    frame: pd.DataFrame, estimator: Any, contract: Contract, answers: dict[str, list[Any]]
) -> None:
    """Raise StartupError if the model answers the sample otherwise when it comes as JSON.

    A model may tell apart what JSON can't, such as None and NaN.
    """
    for method, json_answers in answers.items():
        expected = _direct(frame, estimator, contract, method)
        if expected is None:
            return
        if not golden_check.same_answers(json_answers, expected):
            raise StartupError(
                f"The model answers the sample otherwise when it comes as JSON ({method}): it "
                f"tells values apart that JSON does not, such as None from NaN; train it on data "
                f"without that difference."
            )


def _direct(
    frame: pd.DataFrame, estimator: Any, contract: Contract, method: str
) -> list[Any] | None:
    """Return the answers to the sample as it is, or None if the model can't take it so."""
    named = hasattr(estimator, "feature_names_in_")
    forms: list[Any] = [frame] if named else [frame.to_numpy(), frame]
    texts = frame.iloc[:, 0]
    alone: dict[str, list[Any]] = {"list": [texts.tolist()], "series": [texts]}
    for form in alone.get(contract.container, forms):
        with contextlib.suppress(Exception):
            return per_row(getattr(estimator, method)(form))
    return None
