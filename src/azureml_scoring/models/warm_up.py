"""Tries a model without golden rows on one row, made from what is known of its columns.

Without that, a model could be ready while every request fails.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from azureml_scoring.errors import ScoringError, StartupError, reason
from azureml_scoring.inputs.batch import Batch, InputRow
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import ANY, BOOLEAN, DATETIME, TEXT, Feature
from azureml_scoring.models import golden_check
from azureml_scoring.models.estimators.fitted_columns import fitted_columns
from azureml_scoring.models.predictions import non_finite

ASSUMED: dict[str, tuple[Any, ...]] = {
    TEXT: ("", "a"), BOOLEAN: (False, True), DATETIME: ("2020-01-01",), ANY: (0, 1, "", "a", True),
}  # fmt: skip
NUMBERS = (0, 1, 0.5)
MAX_ATTEMPTS = 5
MAX_COMBINATIONS = 64
"""Rows that mix texts and numbers; each one costs a prediction."""

PACKAGE_ADVICE = (
    "package it with `mlops package MODEL --sample DATA --out DIR`, which tries rows of the sample"
)


def first_answered(
    contract: Contract,
    predict: Callable[[Batch], list[Any]],
    rows: Iterable[InputRow],
    remedy: Callable[[], str | None] = lambda: None,
) -> InputRow:
    """Return the first of ``rows`` that the model answers with finite numbers, else the first that
    it answers at all.

    Raises StartupError, with the ``remedy``, if it answers none.
    """
    first: ScoringError | None = None
    fallback: InputRow | None = None
    for row in rows:
        try:
            if not non_finite(predict(golden_check.batch_of([row], contract))):
                return row
            fallback = fallback or row
        except ScoringError as error:
            first = first or error
    if fallback is not None:
        return fallback
    cause = first and (first.__cause__ or first)
    raise StartupError(
        f"The model answers none of the rows that could be made for it ({contract.methods[0]}: "
        f"{reason(cause)}); {remedy() or PACKAGE_ADVICE}."
    )


def candidate_rows(
    estimator: Any,
    contract: Contract,
    example: tuple[InputRow | None, list[InputRow]] | None = None,
) -> Iterator[InputRow]:
    """Yield rows that a model may answer, the likeliest first.

    ``example``: the column names (or None) and rows of an MLflow input example.
    """
    if example is not None:
        yield from _by_name(contract, *example)
    assumed = [
        [_assumed(feature, attempt) for feature in contract.features]
        for attempt in range(MAX_ATTEMPTS)
    ]
    known = [column.categories[:1] for column in fitted_columns(estimator, len(contract.features))]
    likely = [
        [next(iter(categories), value) for categories, value in zip(known, row, strict=True)]
        for row in assumed
    ]
    yield from likely
    yield from assumed
    open_columns = [
        j for j, feature in enumerate(contract.features) if feature.dtype == ANY and not known[j]
    ]
    yield from itertools.islice(_texts_beside_numbers(likely[1], open_columns), MAX_COMBINATIONS)


def _texts_beside_numbers(row: InputRow, open_columns: Sequence[int]) -> Iterator[InputRow]:
    """Yield combinations of texts and numbers in the ``open_columns``, whose dtype is not known.

    Few columns get every combination; many get one text among numbers, or one number among texts.
    """
    choices: Iterable[Sequence[Any]]
    if 2 ** len(open_columns) <= MAX_COMBINATIONS:
        choices = itertools.product(("a", 1), repeat=len(open_columns))
    else:
        pairs = (("a", 1), (1, "a"))
        choices = (
            [one if place == j else others for place in open_columns]
            for one, others in pairs
            for j in open_columns
        )
    for choice in choices:
        changed = dict(zip(open_columns, choice, strict=True))
        yield [changed.get(place, value) for place, value in enumerate(row)]


def _by_name(
    contract: Contract, columns: InputRow | None, rows: list[InputRow]
) -> Iterator[InputRow]:
    with suppress(Exception):  # an example from outside may hold anything
        places: Sequence[int] = range(len(contract.features))
        if columns is not None and contract.names is not None:
            places = [columns.index(name) for name in contract.names]
        yield [rows[0][place] for place in places]


def _assumed(feature: Feature, attempt: int) -> Any:
    choice = feature.categories or ASSUMED.get(feature.dtype, NUMBERS)
    return choice[attempt % len(choice)]
