"""Tries out how a model is best called: with a DataFrame or an array, and where it takes missing values."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pandas as pd

import golden
from contract import Contract, Feature
from errors import ScoringError, StartupError, reason
from estimator import Predictor
from mlops import sample as samples
from mlops.read_as import listed
from predictions import non_finite

ROWS = 100
"""How many rows are looked through for some without gaps."""

TRIED = 10
NAN = "it answers NaN"


def with_container(contract: Contract, estimator: Any, frame: pd.DataFrame) -> Contract:
    """A DataFrame, unless the model fails on it and not on an array."""
    if contract.container != "frame" or hasattr(estimator, "feature_names_in_"):
        return contract
    unnamed = dataclasses.replace(contract, container="array")

    def works(tried: Contract) -> bool:
        return any(not _fails(refusal([row], estimator, tried)) for row in _rows(frame))

    return contract if works(contract) or not works(unnamed) else unnamed


def with_missing(
    contract: Contract, estimator: Any, frame: pd.DataFrame, say: Callable[[str], None]
) -> tuple[Contract, pd.DataFrame]:
    """The contract tells where the model takes missing values; rows that lack others are left out of the frame.

    Raises StartupError where no row is left.
    """
    why = _refusals(_answered(contract, estimator, frame), estimator, contract)
    features = tuple(
        dataclasses.replace(f, missing=not refused) for f, refused in zip(contract.features, why, strict=True)
    )
    gaps = {
        name: refused for name, refused in zip(frame.columns, why, strict=True) if refused and frame[name].isna().any()
    }
    kept = frame[frame[list(gaps)].notna().all(axis=1)]
    for refused in sorted({*gaps.values()}):
        names = [name for name in gaps if gaps[name] == refused]
        count = int(frame[names].isna().any(axis=1).sum())
        told = f"{count:,} rows without a value in {listed(names)}, which the model does not take ({refused})"
        if kept.empty:
            raise StartupError(f"The sample has nothing but {told}; give rows that it answers.")
        say(f"  note: left out are {told}")
    return dataclasses.replace(contract, features=features), kept


def refusal(rows: list[list[Any]], estimator: Any, contract: Contract) -> str | None:
    """Why the model does not answer these rows with numbers, None where it does. Missing values are let through."""
    features: tuple[Feature, ...] = tuple(dataclasses.replace(f, missing=True) for f in contract.features)
    lenient = dataclasses.replace(contract, features=features)
    try:
        answers = Predictor(estimator, lenient)(golden.batch(rows, lenient))
    except ScoringError as error:
        return reason(error.__cause__ or error)
    return NAN if non_finite(answers) else None


def _refusals(row: list[Any], estimator: Any, contract: Contract) -> list[str | None]:
    """For each feature, tried out: why a row without its value is not answered."""
    without = [[*row[:j], None, *row[j + 1 :]] for j in range(len(row))]
    if contract.uniform and not refusal(without, estimator, contract):  # in one go
        return [None] * len(row)
    return [refusal([gap], estimator, contract) for gap in without]


def _answered(contract: Contract, estimator: Any, frame: pd.DataFrame) -> list[Any]:
    """A row that the model answers. Raises StartupError."""
    why = None
    for row in _rows(frame):
        why = refusal([row], estimator, contract)
        if not _fails(why):
            return row
    raise StartupError(
        f"The model fails on the sample ({contract.methods[0]}: {why}); give rows like those of its fit."
    )


def _rows(frame: pd.DataFrame) -> list[list[Any]]:
    """Some without gaps, if there are such among the first."""
    first = frame.head(ROWS)
    whole = first[first.notna().all(axis=1)]
    return samples.rows_of((first if whole.empty else whole).head(TRIED))


def _fails(why: str | None) -> bool:
    return why not in (None, NAN)
