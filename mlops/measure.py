"""Measures a fitted estimator on sample rows: what it takes, how it is best called, and what it
answers."""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from azureml_scoring.errors import ModelFailed, ScoringError, StartupError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.models import golden_check
from azureml_scoring.models.baseline import MIN_BASELINE_ROWS, Baseline
from azureml_scoring.models.estimators.estimator_contract import cacheable, container_of, methods_of
from azureml_scoring.models.estimators.known_features import names_of
from azureml_scoring.models.estimators.predictor import Predictor
from azureml_scoring.models.predictions import non_finite, per_row, to_json
from mlops import sample as samples
from mlops.blame import sample_failure
from mlops.fit_categories import with_categories
from mlops.golden_selection import GoldenSelector, Source, comparable, spread
from mlops.probe import with_container, with_missing
from mlops.read_as import listed

MAX_TRIED_ROWS = 10
"""Rows of the sample that the contract is measured on."""

EXACT = 2**53
"""Up to here a float64 holds each whole number."""

MAX_COMPARED_ROWS = 2_000
"""How many rows of the sample a compiled model is compared on."""

Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What the manifest holds of a model. ``rows``: the golden rows; ``answers``: method -> answers
    to them, where they are a test of the model; ``cacheable``: asked twice, it answered alike, and
    it does not say of itself that it might not; ``numbers``: the sample as the model takes it, of
    models on numbers; ``baselines``: of each feature of the sample.
    """

    contract: Contract
    rows: list[list[Any]]
    answers: dict[str, list[Any]]
    cacheable: bool
    numbers: np.ndarray
    baselines: tuple[Baseline, ...]


def measure(
    estimator: Any,
    sample: pd.DataFrame,
    say: Say,
    default: str | None = None,
    signed: Sequence[str] = (),
    golden_rows: Source = "synthetic",
) -> Measurement:
    """``default``: the method to come first. ``signed``: the columns' names in a signature, for a
    model without names.

    Raises StartupError where the sample does not fit the estimator.
    """

    def taken(rows: pd.DataFrame, say: Say) -> pd.DataFrame:
        return with_categories(_finite(_select(rows, estimator, signed, say)), estimator, say)

    with warnings.catch_warnings(
        action="ignore"
    ):  # the model's, of rows that we made up or of infinite answers
        frame = taken(sample, say)
        if isinstance(golden_rows, pd.DataFrame):
            golden_rows = _all_of_file(golden_rows, taken)
        return _measured(estimator, frame, say, default, golden_rows)


def _all_of_file(
    rows: pd.DataFrame, taken: Callable[[pd.DataFrame, Say], pd.DataFrame]
) -> pd.DataFrame:
    """Raises StartupError."""
    place = "In the file of --golden-rows"
    try:
        found = taken(rows, lambda line: None)
    except StartupError as error:
        raise StartupError(f"{place}: {error}") from None
    if len(found) < len(rows):
        raise StartupError(
            f"{place} are rows with infinity, or with categories that the fit did not have; remove "
            f"them."
        )
    return found


def _measured(
    estimator: Any, frame: pd.DataFrame, say: Say, default: str | None, source: Source
) -> Measurement:
    say(f"Measuring the contract on {len(frame)} rows, {len(frame.columns)} features")
    contract, frame = with_missing(_contract(frame, estimator, default), estimator, frame, say)
    tried = frame.iloc[spread(len(frame), MAX_TRIED_ROWS)]
    rows = samples.rows_of(tried)
    say(f"Asking {len(rows)} rows of the sample for {', '.join(contract.methods)}")
    answers, known, steady = _tried_answers(frame, rows, estimator, contract, say)
    contract = dataclasses.replace(contract, methods=tuple(answers))
    _check_against_estimator(tried, estimator, contract, known)

    def alike(other: Contract) -> bool:
        return contract.methods[0] in known and _answers_alike(rows, estimator, other, answers)

    contract = _with_fractions(contract, frame, alike)
    unnamed = dataclasses.replace(
        contract, container="array"
    )  # a DataFrame costs more than many a prediction
    if contract.container == "frame" and contract.uniform and alike(unnamed):
        contract = unnamed
    chooser = GoldenSelector(estimator, contract, known)
    every = samples.rows_of(frame)
    rows = chooser.select(source, every, say)
    compared = golden_check.batch_of(every[:MAX_COMPARED_ROWS] + rows, contract).X
    kept = chooser.answers(rows)
    return Measurement(
        contract,
        rows,
        kept,
        steady and cacheable(estimator),
        compared,
        _baselines(every, contract, say),
    )


def _baselines(rows: list[list[Any]], contract: Contract, say: Say) -> tuple[Baseline, ...]:
    if len(rows) < MIN_BASELINE_ROWS:
        say(
            f"  note: {len(rows)} rows are too few to measure drift against; give {MIN_BASELINE_ROWS} or "
            f"more"
        )
        return ()
    columns = zip(*rows, strict=True)
    return tuple(
        Baseline.of(
            str(place) if feature.name is None else feature.name,
            samples.canonical_values(feature, column),
            numeric=feature.numeric,
        )
        for place, (feature, column) in enumerate(zip(contract.features, columns, strict=True))
    )


def _select(sample: pd.DataFrame, estimator: Any, signed: Sequence[str], say: Say) -> pd.DataFrame:
    """The columns that the model was fitted on, in that order."""
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
            f"({', '.join(map(str, sample.columns))}), "
            f"the model takes {count}; leave out what it was not fitted on, such as the target, "
            f"with --drop COLUMN."
        )
    if count > 1 and list(columns) != list(map(str, range(count))):
        say(
            f"  note: the model tells no names, so the columns are taken in the sample's order "
            f"({listed(list(sample.columns))}): check that it is the order of the fit"
        )
    return sample


def _contract(frame: pd.DataFrame, estimator: Any, default: str | None) -> Contract:
    features = samples.features_of(frame)
    contract = Contract(features, methods_of(estimator, default), container_of(estimator, features))
    return with_container(contract, estimator, frame)


def _tried_answers(
    frame: pd.DataFrame, rows: list[list[Any]], estimator: Any, contract: Contract, say: Say
) -> tuple[dict[str, list[Any]], dict[str, list[Any]], bool]:
    """Method -> answers; those of them that are a test of the model; and whether all are the same
    when asked again.

    A method that fails is not offered.
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
                f"  note: {method} answers with NaN, infinity or times, or not twice alike: no "
                f"golden answers for it"
            )
        if not (steadily or to_json(first) == to_json(second)):
            say("  note: not deterministic, so its answers will not be cached")
            steady = False
    return answers, known, steady


def _check_against_estimator(
    frame: pd.DataFrame, estimator: Any, contract: Contract, answers: dict[str, list[Any]]
) -> None:
    """What JSON can't tell apart (None and NaN, say) a model may: better no service than one that
    answers otherwise."""
    for method, given in answers.items():
        expected = _direct(frame, estimator, contract, method)
        if expected is None:
            return
        if not golden_check.same_answers(given, expected):
            raise StartupError(
                f"The model answers the sample otherwise when it comes as JSON ({method}): it "
                f"tells values apart that "
                "JSON does not, such as None from NaN; train it on data without that difference."
            )


def _direct(
    frame: pd.DataFrame, estimator: Any, contract: Contract, method: str
) -> list[Any] | None:
    """The answers to the sample as it is; None where it can't be taken so, and there is nothing to
    compare with."""
    named = hasattr(estimator, "feature_names_in_")
    forms: list[Any] = [frame] if named else [frame.to_numpy(), frame]
    for form in [frame.iloc[:, 0].tolist()] if contract.container == "list" else forms:
        with contextlib.suppress(Exception):
            return per_row(getattr(estimator, method)(form))
    return None


def _with_fractions(
    contract: Contract, frame: pd.DataFrame, alike: Callable[[Contract], bool]
) -> Contract:
    """Columns that happened to hold whole numbers take others too.

    Not those beyond a float's precision, nor those whose 1 the model tells from 1.0. ``alike``:
    whether it answers as by this contract when it is called by another.
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
        and bool((frame[name].dropna().abs() <= EXACT).all())
    ]
    found = opened(free(whole))
    return found if alike(found) else contract


def _answers_alike(
    rows: list[list[Any]], estimator: Any, contract: Contract, answers: dict[str, list[Any]]
) -> bool:
    """Whether the model may be called by another contract: where there is any doubt, not."""
    batch = golden_check.batch_of(rows, contract)
    try:
        asked = [Predictor(estimator, contract)(Batch(batch.X, method)) for method in answers]
    except ScoringError:
        return False
    return golden_check.same_answers(_comparable(asked), _comparable(list(answers.values())))


def _comparable(answers: Any) -> Any:
    """NaN and infinity as texts, which equal themselves."""
    if isinstance(answers, list):
        return [_comparable(answer) for answer in answers]
    return str(answers) if non_finite(answers) else answers


def _finite(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows without infinity, which no request can hold."""
    numbers = frame.select_dtypes("number").to_numpy(dtype=float, na_value=np.nan)
    finite: pd.DataFrame = frame[~np.isinf(numbers).any(axis=1)]
    if finite.empty:
        raise StartupError(
            "Each row of the sample holds infinity, which no request can; give others."
        )
    return finite
