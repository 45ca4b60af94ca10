"""Asks a model that has no golden rows one row before it takes requests: made of what is known of
its columns.

Otherwise it would be ready, and every request might fail.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from azureml_scoring.errors import ScoringError, StartupError, reason
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import ANY, BOOLEAN, DATETIME, TEXT, Contract, Feature
from azureml_scoring.models import golden_check
from azureml_scoring.models.estimators.fitted_columns import fitted_columns
from azureml_scoring.models.predictions import non_finite

InputRow = list[Any]

ASSUMED: dict[str, tuple[Any, ...]] = {
    TEXT: ("", "a"), BOOLEAN: (False, True), DATETIME: ("2020-01-01",), ANY: (0, 1, "", "a", True),
}  # fmt: skip
NUMBERS = (0, 1, 0.5)
MAX_ATTEMPTS = 5
MAX_COMBINATIONS = 64
"""Rows of texts beside numbers that are tried at most; each takes as long as a prediction."""

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
    it answers.

    Raises StartupError with the ``remedy`` where it answers none.
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
        f"{reason(cause)}); "
        f"{remedy() or PACKAGE_ADVICE}."
    )


def candidate_rows(
    estimator: Any,
    contract: Contract,
    example: tuple[InputRow | None, list[InputRow]] | None = None,
) -> Iterator[InputRow]:
    """Rows that a model may answer, the likeliest first. ``example``: the columns' names, or None,
    and rows."""
    if example is not None:
        yield from _by_name(contract, *example)
    assumed = [
        [_assumed(feature, attempt) for feature in contract.features]
        for attempt in range(MAX_ATTEMPTS)
    ]
    known = [column.categories[:1] for column in fitted_columns(estimator, len(contract.features))]
    likely = [
        [next(iter(given), value) for given, value in zip(known, row, strict=True)]
        for row in assumed
    ]
    yield from likely
    yield from assumed
    untold = [
        j for j, feature in enumerate(contract.features) if feature.dtype == ANY and not known[j]
    ]
    yield from itertools.islice(_texts_beside_numbers(likely[1], untold), MAX_COMBINATIONS)


def _texts_beside_numbers(row: InputRow, untold: Sequence[int]) -> Iterator[InputRow]:
    """Each combination of texts and numbers in a few ``untold`` columns; one text, or one number,
    among many."""
    choices: Iterable[Sequence[Any]]
    if 2 ** len(untold) <= MAX_COMBINATIONS:
        choices = itertools.product(("a", 1), repeat=len(untold))
    else:
        pairs = (("a", 1), (1, "a"))
        choices = (
            [one if place == j else others for place in untold]
            for one, others in pairs
            for j in untold
        )
    for choice in choices:
        changed = dict(zip(untold, choice, strict=True))
        yield [changed.get(place, value) for place, value in enumerate(row)]


def _by_name(
    contract: Contract, columns: InputRow | None, given: list[InputRow]
) -> Iterator[InputRow]:
    with suppress(Exception):  # somebody else's file may hold anything
        places: Sequence[int] = range(len(contract.features))
        if columns is not None and contract.names is not None:
            places = [columns.index(name) for name in contract.names]
        yield [given[0][place] for place in places]


def _assumed(feature: Feature, attempt: int) -> Any:
    choice = feature.categories or ASSUMED.get(feature.dtype, NUMBERS)
    return choice[attempt % len(choice)]
