"""Finds the values that a transformer of columns can know: those of scikit-learn's encoders.

To anything else a value may matter that neither the fit nor the sample had, such as a word in a
text, or a key in the author's own dictionary. No number of rows that are tried would show it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    TargetEncoder,
)

from azureml_scoring.models.engines.column_tables import is_missing
from azureml_scoring.models.estimators.known_values import feature_of_values

ENCODERS = (OneHotEncoder, OrdinalEncoder, TargetEncoder)

Vocabulary = Sequence[Any] | None
"""The values that a transformer tells apart; None if there may be others."""


def vocabularies(part: Any, count: int) -> list[Vocabulary]:
    """Return the vocabulary of each of the ``count`` columns that a fitted transformer takes."""
    if type(part) in ENCODERS:
        return [feature_of_values(known).categories for known in part.categories_[:count]]
    if type(part) is MissingIndicator:
        return [_marker(part)] * count
    if isinstance(part, Pipeline):
        return _of_steps([step for _, step in part.steps], count)
    if isinstance(part, ColumnTransformer):
        return _of_columns(part, count)
    if isinstance(part, FeatureUnion):
        inner = [each for _, each in part.transformer_list if each != "drop"]
        return _together([vocabularies(each, count) for each in inner], count)
    return [None] * count


def is_identity(part: Any) -> bool:
    """Tell whether a transformer returns its columns as they are."""
    if isinstance(part, FunctionTransformer):
        return part.func is None
    return part is None or (isinstance(part, str) and part == "passthrough")


def _of_steps(steps: Iterable[Any], count: int) -> list[Vocabulary]:
    """Return what the first step knows that is more than a filling of gaps: later ones get no
    more than it tells apart."""
    markers: list[Any] = []
    for step in steps:
        if type(step) is SimpleImputer and not any(map(is_missing, step.statistics_)):
            markers += _marker(step)
        elif not is_identity(step):
            known = vocabularies(step, count)
            return [None if each is None else [*each, *markers] for each in known]
    return [None] * count


def _of_columns(part: ColumnTransformer, count: int) -> list[Vocabulary]:
    known = []
    for name, inner, _ in part.transformers_:
        places = [k for k in part._transformer_to_input_indices[name] if k < count]
        if places and not (isinstance(inner, str) and inner == "drop"):
            own: list[Vocabulary] = [()] * count
            for place, values in zip(places, vocabularies(inner, len(places)), strict=True):
                own[place] = values
            known.append(own)
    return _together(known, count)


def _together(known: Sequence[Sequence[Vocabulary]], count: int) -> list[Vocabulary]:
    return [_joined([own[place] for own in known]) for place in range(count)]


def _joined(several: Sequence[Vocabulary]) -> Vocabulary:
    values: list[Any] = []
    for own in several:
        if own is None:
            return None
        values += own
    return values


def _marker(imputer: Any) -> list[Any]:
    """Return the value that stands for a missing one, unless it is None or NaN."""
    return list(feature_of_values([imputer.missing_values]).categories)
