"""Measures a fitted estimator on sample rows: its contract, its golden rows and its baselines."""

from __future__ import annotations

import dataclasses
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from azureml_scoring.errors import ModelFailed, ScoringError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models import golden_check
from azureml_scoring.models.baseline import (
    MIN_BASELINE_ROWS,
    SURE_BASELINE_ROWS,
    Baseline,
)
from azureml_scoring.models.engines.graph_estimator import GraphEstimator
from azureml_scoring.models.estimators.estimator_contract import cacheable, container_of, methods_of
from azureml_scoring.models.estimators.predictor import Predictor
from azureml_scoring.models.predictions import to_json
from mlops import sample as samples
from mlops.answer_baselines import answer_baselines
from mlops.blame import sample_failure
from mlops.contract_trial import answers_alike, check_json_answers, with_fractions
from mlops.date_columns import with_dates, with_unit
from mlops.golden_selection import GoldenSelector, GoldenSource, comparable, spread
from mlops.graph_sample import only_gaps
from mlops.probe import failure, with_container, with_missing
from mlops.sample_columns import golden_columns, model_columns
from mlops.say import Say
from mlops.unseen_values import with_known_values

MAX_TRIED_ROWS = 10
"""Rows of the sample on which the contract is tried."""

MAX_COMPARED_ROWS = 2_000
"""Rows of the sample on which a compiled model is compared."""


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What packaging measured of a model.

    rows: the golden rows.
    answers: method -> answers to the golden rows, for methods that always answer alike.
    cacheable: it answered twice alike, and does not itself declare otherwise.
    numbers: the sample as the model takes it.
    baselines: the sample's distribution, one per feature.
    answer_baselines: that of the answers to it.
    most_alike_rows: so many of its rows are one and the same row.
    """

    contract: Contract
    rows: list[list[Any]]
    answers: dict[str, list[Any]]
    cacheable: bool
    numbers: np.ndarray
    baselines: tuple[Baseline, ...]
    answer_baselines: tuple[Baseline, ...]
    most_alike_rows: int


def measure(
    estimator: Any,
    sample: pd.DataFrame,
    say: Say,
    default: str | None = None,
    signature: Sequence[Feature] = (),
    golden_rows: GoldenSource = "synthetic",
) -> Measurement:
    """Measure the estimator on a sample.

    ``default``: the method that comes first. ``signature``: the columns that MLflow or a graph
    names. Raises StartupError if the sample does not fit the estimator.
    """
    names = [feature.name for feature in signature if feature.name is not None]
    # The model warns of rows that we make up, and of infinite answers.
    with warnings.catch_warnings(action="ignore"):
        frame = model_columns(sample, estimator, names, say)
        if isinstance(golden_rows, pd.DataFrame):
            golden_rows = golden_columns(golden_rows, estimator, names)
        return _measured(estimator, frame, say, default, signature, golden_rows)


def _measured(
    estimator: Any,
    frame: pd.DataFrame,
    say: Say,
    default: str | None,
    signature: Sequence[Feature],
    source: GoldenSource,
) -> Measurement:
    say(f"Measuring the contract on {len(frame)} rows, {len(frame.columns)} features")
    graph = isinstance(estimator, GraphEstimator)
    if not graph:  # whose inputs say what they take
        frame = with_dates(frame, estimator, lambda rows: _answers(rows, estimator, default), say)
    gaps = frame.isna().any().tolist()
    contract, frame = with_missing(_contract(frame, estimator, default), estimator, frame, say)
    if graph:
        signed = [feature.missing for feature in signature]
        contract = only_gaps(contract, np.logical_or(gaps, signed).tolist())
    else:
        contract, frame = with_known_values(contract, estimator, frame, say)
    tried = frame.iloc[spread(len(frame), MAX_TRIED_ROWS)]
    rows = samples.rows_of(tried)
    say(f"Trying {len(rows)} rows of the sample with {', '.join(contract.methods)}")
    answers, known, steady = _tried_answers(frame, rows, estimator, contract, say)
    contract = dataclasses.replace(contract, methods=tuple(answers))
    check_json_answers(tried, estimator, contract, known)

    def alike(other: Contract) -> bool:
        return contract.methods[0] in known and answers_alike(rows, estimator, other, answers)

    if not graph:
        contract = with_unit(with_fractions(contract, frame, alike), alike, say)
    # Building a DataFrame costs more than many predictions.
    unnamed = dataclasses.replace(contract, container="array")
    if contract.container == "frame" and contract.uniform and alike(unnamed):
        contract = unnamed
    chooser = GoldenSelector(estimator, contract, known)
    every = samples.rows_of(frame)
    rows = chooser.select(source, every, say)
    compared = golden_check.batch_of(every[:MAX_COMPARED_ROWS] + rows, contract).X
    kept = chooser.answers(rows)
    baselines = _baselines(every, contract, say)
    return Measurement(
        contract,
        rows,
        kept,
        steady and cacheable(estimator),
        compared,
        baselines,
        _answer_baselines(every, contract, estimator, say) if baselines else (),
        max(Counter(map(repr, every)).values()),
    )


def _baselines(rows: list[list[Any]], contract: Contract, say: Say) -> tuple[Baseline, ...]:
    if len(rows) < MIN_BASELINE_ROWS:
        say(
            f"  note: {len(rows)} rows are too few to measure drift against; give "
            f"{SURE_BASELINE_ROWS:,} or more"
        )
        return ()
    if len(rows) < SURE_BASELINE_ROWS:
        say(
            f"  note: with {len(rows)} rows only large drift can be told from chance; give "
            f"{SURE_BASELINE_ROWS:,} or more"
        )
    columns = zip(*rows, strict=True)
    return tuple(
        Baseline.of(
            str(place) if feature.name is None else feature.name,
            samples.canonical_values(feature, column),
            numeric=feature.numeric,
        )
        for place, (feature, column) in enumerate(zip(contract.features, columns, strict=True))
    )


def _answer_baselines(
    rows: list[list[Any]], contract: Contract, estimator: Any, say: Say
) -> tuple[Baseline, ...]:
    X = golden_check.batch_of(rows, contract).X
    return answer_baselines(X, contract, Predictor(estimator, contract), say)


def _answers(frame: pd.DataFrame, estimator: Any, default: str | None) -> bool:
    """Return whether the model answers one of the first rows."""
    contract = _contract(frame, estimator, default)
    return any(
        failure([row], estimator, contract) is None
        for row in samples.rows_of(frame.head(MAX_TRIED_ROWS))
    )


def _contract(frame: pd.DataFrame, estimator: Any, default: str | None) -> Contract:
    features = samples.features_of(frame)
    contract = Contract(features, methods_of(estimator, default), container_of(estimator, features))
    return with_container(contract, estimator, frame)


def _tried_answers(
    frame: pd.DataFrame, rows: list[list[Any]], estimator: Any, contract: Contract, say: Say
) -> tuple[dict[str, list[Any]], dict[str, list[Any]], bool]:
    """Ask each method twice.

    Return the answers by method; those that can be golden answers; and whether every method
    answered twice alike. A method that fails is not offered.
    """
    answers, known = dict[str, list[Any]](), dict[str, list[Any]]()
    steady = True
    for method in contract.methods:
        try:
            batch = Batch(golden_check.batch_of(rows, contract).X, method)
            first, second = (Predictor(estimator, contract)(batch) for _ in range(2))
            to_json(first)
        except ScoringError as error:
            if method == contract.methods[0]:
                raise sample_failure(
                    method, (isinstance(error, ModelFailed) and error.__cause__) or error, frame
                ) from None
            say(f"  note: {method} fails on the sample and is not offered")
            continue
        answers[method] = first
        if steadily := comparable(first) and golden_check.same_answers(second, first):
            known[method] = first
        else:
            say(
                f"  note: {method} answers with NaN, infinity or times, or differently each time: "
                f"no golden answers for it"
            )
        if not (steadily or to_json(first) == to_json(second)):
            say("  note: not deterministic, so its answers will not be cached")
            steady = False
    return answers, known, steady
