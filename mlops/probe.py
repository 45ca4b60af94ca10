"""Tries whether a model needs a DataFrame or an array, and where it takes missing values."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from azureml_scoring.errors import ScoringError, StartupError, reason
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Container, Contract
from azureml_scoring.inputs.feature import TEXT
from azureml_scoring.models import golden_check
from azureml_scoring.models.estimators.predictor import Predictor
from azureml_scoring.models.predictions import non_finite
from mlops import sample as samples
from mlops.blame import sample_failure
from mlops.read_as import listed

MAX_SEARCHED_ROWS = 100
"""Rows searched for some without gaps."""

MAX_TRIED_ROWS = 10
FEATURES_PER_CALL = 100
"""Features whose missing values are tried in one call; one by one only if that call fails."""

PROGRESS_FROM_S = 5.0
"""Progress is printed if more time than this remains."""

TEXT_CONTAINERS: tuple[Container, ...] = ("list", "series")

NAN_ANSWER = "it answers NaN"


def with_container(contract: Contract, estimator: Any, frame: pd.DataFrame) -> Contract:
    """Use a DataFrame, unless the model fails on it and not on an array or, if it takes one text,
    on a list or a Series."""
    if contract.container != "frame" or hasattr(estimator, "feature_names_in_"):
        return contract
    one_text = [feature.dtype for feature in contract.features] == [TEXT]
    containers: tuple[Container, ...] = ("frame", "array", *(TEXT_CONTAINERS if one_text else ()))
    tried = [dataclasses.replace(contract, container=container) for container in containers]
    # A vectorizer takes the names of a DataFrame's columns for its texts: one name, one answer.
    count = 2 if one_text else 1

    def works(one: Contract) -> bool:
        return any(failure([row] * count, estimator, one) is None for row in _rows(frame))

    return next(filter(works, tried), contract)


def with_missing(
    contract: Contract, estimator: Any, frame: pd.DataFrame, say: Callable[[str], None]
) -> tuple[Contract, pd.DataFrame]:
    """Return a contract that says where values may be missing, and the rows that it allows.

    Raises StartupError if no row is left.
    """
    why = _refusals(answered_row(contract, estimator, frame), estimator, contract, say)
    features = tuple(
        dataclasses.replace(f, missing=not refused)
        for f, refused in zip(contract.features, why, strict=True)
    )
    gaps = {
        name: refused
        for name, refused in zip(frame.columns, why, strict=True)
        if refused and frame[name].isna().any()
    }
    kept = frame[frame[list(gaps)].notna().all(axis=1)]
    for refused in sorted({*gaps.values()}):
        names = [name for name in gaps if gaps[name] == refused]
        count = int(frame[names].isna().any(axis=1).sum())
        left_out = (
            f"{count:,} rows without a value in {listed(names)}, which the model does not take "
            f"({refused})"
        )
        if kept.empty:
            raise StartupError(f"The sample has only {left_out}; give rows that it answers.")
        say(f"  note: leaving out {left_out}")
    return dataclasses.replace(contract, features=features), kept


def failure(rows: list[list[Any]], estimator: Any, contract: Contract) -> BaseException | None:
    """Return why the model does not answer these rows; None if it does, even with NaN.

    Missing values are passed on to the model.
    """
    lenient = _lenient(contract)
    try:
        Predictor(estimator, lenient)(golden_check.batch_of(rows, lenient))
    except ScoringError as error:
        return _cause(error)
    return None


def _lenient(contract: Contract) -> Contract:
    features = tuple(dataclasses.replace(f, missing=True) for f in contract.features)
    return dataclasses.replace(contract, features=features)


def _why_not(predict: Predictor, batch: Batch) -> str | None:
    try:
        return NAN_ANSWER if non_finite(predict(batch)) else None
    except ScoringError as error:
        return reason(_cause(error))


def _cause(error: ScoringError) -> BaseException:
    """Return the model's own exception, if there was one."""
    return error.__cause__ or error


def _refusals(
    row: list[Any], estimator: Any, contract: Contract, say: Callable[[str], None]
) -> list[str | None]:
    """Try a row without each feature in turn; return why it is not answered, or None."""
    lenient = _lenient(contract)
    whole, count = golden_check.batch_of([row], lenient), len(row)
    predict, why = _quickest(estimator, lenient, whole), list[str | None]()
    begun = time.perf_counter()
    for start in range(0, count, FEATURES_PER_CALL):
        places = range(start, min(start + FEATURES_PER_CALL, count))
        if lenient.uniform and not _why_not(predict, _without(whole, places, lenient)):
            why += [None] * len(places)
        else:
            why += [_why_not(predict, _without(whole, [place], lenient)) for place in places]
        left = (time.perf_counter() - begun) / len(why) * (count - len(why))
        if left > PROGRESS_FROM_S:
            say(
                f"  tried {len(why):,} of {count:,} features without a value, about {left:.0f} s "
                f"to go"
            )
    return why


def _quickest(estimator: Any, contract: Contract, row: Batch) -> Predictor:
    """Return a Predictor with an array if it answers alike: a wide DataFrame is slow to build."""
    predict = Predictor(estimator, contract)
    if contract.container == "frame" and contract.uniform:
        unnamed = Predictor(estimator, dataclasses.replace(contract, container="array"))
        with contextlib.suppress(ScoringError):
            if golden_check.same_answers(unnamed(row), predict(row)):
                return unnamed
    return predict


def _without(whole: Batch, places: Sequence[int], contract: Contract) -> Batch:
    """Repeat the row for each of these places, without the value there."""
    X = np.repeat(whole.X, len(places), axis=0)
    for row, place in enumerate(places):
        X[row, place] = np.nan if contract.features[place].numeric else None
    return Batch(X, whole.method)


def answered_row(contract: Contract, estimator: Any, frame: pd.DataFrame) -> list[Any]:
    """Return a row that the model answers. Raises StartupError."""
    errors = []
    for row in _rows(frame):
        error = failure([row], estimator, contract)
        if error is None:
            return row
        errors.append(error)
    raise sample_failure(contract.methods[0], errors[-1], frame)


def _rows(frame: pd.DataFrame) -> list[list[Any]]:
    """Return some rows, without gaps if there are any such among the first."""
    first = frame.head(MAX_SEARCHED_ROWS)
    whole = first[first.notna().all(axis=1)]
    return samples.rows_of((first if whole.empty else whole).head(MAX_TRIED_ROWS))
