"""What an estimator's columns held at its fit, as far as its encoders, imputers, boosters and
scikit-learn's tags tell.

The estimator may be anybody's, and its attributes anything: a part that is not understood tells
nothing.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from azureml_scoring.inputs.contract import ANY, BOOLEAN, CATEGORY, DATETIME, TEXT, Feature
from azureml_scoring.models.estimators.booster_features import booster_features

NUMBER = "number"
"""In place of a number's dtype: whole or not, the fit does not tell."""

UNKNOWN = Feature(None, ANY)

INNER_ATTRIBUTES = ("best_estimator_", "estimator_", "regressor_", "classifier_", "estimator")
"""What searches, transformed targets and others call the estimator that meets the same columns."""

ENSEMBLE_ATTRIBUTES = ("estimators_", "calibrated_classifiers_")
"""What ensembles call theirs."""

META_PARAMETERS = {
    "steps",
    "transformers",
    "transformer_list",
    "estimators",
    "estimator",
    "regressor",
}
"""Parameters of what holds other estimators; its own tags do not tell what those take."""

MAX_MEMBERS = 10
"""Members of an ensemble that are looked at; all met the same columns."""

MAX_PARTS = 2_000
"""Parts of an estimator that are looked at, of which there may be no end."""


class Part(NamedTuple):
    """``places``: the columns that it met at its fit. ``as_sent``: they reached it as a request has
    them."""

    estimator: Any
    places: Sequence[int]
    as_sent: bool


def fitted_columns(estimator: Any, count: int) -> list[Feature]:
    """For each of ``count`` columns a Feature without a name, whose ``categories`` are known values
    of any dtype.

    The dtype is TEXT, BOOLEAN, CATEGORY, DATETIME or NUMBER, or ANY where nothing is told. With
    ANY, ``categories`` are what a later step knows: likely to be answered, and no promise.
    """
    found = [UNKNOWN] * count
    with suppress(Exception):
        for part in _parts(estimator, count):
            for place, told in zip(part.places, _told(part), strict=False):
                found[place] = _both(found[place], told)
    return found


def object_columns(estimator: Any, count: int) -> dict[int, float | None]:
    """Places that an encoder must meet as Python's objects, each with the missing value of the fit:
    None or NaN.

    Among objects it finds neither numpy's numbers nor the other missing value.
    """
    found: dict[int, float | None] = {}
    with suppress(Exception):
        for part in _parts(estimator, count):
            if part.as_sent and by_scikit_learn(part.estimator):
                for place, known in zip(
                    part.places, getattr(part.estimator, "categories_", ()), strict=False
                ):
                    if known.dtype == object:
                        found |= _of_objects(place, known)
    return found


def _of_objects(place: int, known: np.ndarray) -> dict[int, float | None]:
    missing = [value for value in known if _kind(value) is None]
    if None not in missing and _of_values(known).dtype != NUMBER:
        return {}
    return {place: None if missing == [None] else np.nan}


def by_scikit_learn(part: Any) -> bool:
    """What it does with its columns is scikit-learn's own code, also in a class derived from one of
    its."""
    asked = {"fit", "transform", "predict", "predict_proba"}
    owner = next((kind for kind in type(part).__mro__ if asked & vars(kind).keys()), object)
    return owner.__module__.startswith(("sklearn.", "imblearn."))


def _parts(estimator: Any, count: int) -> Iterator[Part]:
    return itertools.islice(_walk(Part(estimator, range(count), as_sent=True)), MAX_PARTS)


def _walk(whole: Part) -> Iterator[Part]:
    waiting, seen = deque([whole]), dict[tuple[Any, ...], Part]()
    while waiting:
        part = waiting.popleft()
        if seen.setdefault((id(part.estimator), *part.places), part) is part:  # it may hold itself
            yield part
            waiting.extend(_inner(part))


def _inner(part: Part) -> list[Part]:
    found = []
    with suppress(Exception):
        as_sent = part.as_sent and by_scikit_learn(part.estimator)
        for inner, places, kept in _children(part.estimator, part.places):
            if _takes(inner, len(places)):
                found.append(Part(inner, places, as_sent and kept))
    return found


def _takes(inner: Any, count: int) -> bool:
    with suppress(Exception):
        return bool(getattr(inner, "n_features_in_", count) == count)
    return False


def _children(whole: Any, places: Sequence[int]) -> Iterator[tuple[Any, Sequence[int], bool]]:
    """Each with its columns, and whether they reach it unchanged."""
    if hasattr(whole, "steps"):
        kept = True
        for _, step in whole.steps:
            if step is not None and not isinstance(step, str):  # "passthrough"
                yield step, places, kept
                kept = kept and _keeps(step)
    elif hasattr(whole, "transformers_"):
        for name, inner, _ in whole.transformers_:
            yield (
                inner,
                [places[place] for place in whole._transformer_to_input_indices.get(name, ())],
                True,
            )
    elif hasattr(whole, "transformer_list"):
        yield from ((inner, places, True) for _, inner in whole.transformer_list)
    else:
        yield from _members(whole, places)


def _members(whole: Any, places: Sequence[int]) -> Iterator[tuple[Any, Sequence[int], bool]]:
    for name in INNER_ATTRIBUTES:
        if hasattr(getattr(whole, name, None), "get_params") or hasattr(
            getattr(whole, name, None), "predict"
        ):
            yield getattr(whole, name), places, True
    for name in ENSEMBLE_ATTRIBUTES:
        members = (
            np.ravel(several)
            if isinstance(several := getattr(whole, name, ()), np.ndarray)
            else several
        )
        drawn = getattr(
            whole, "estimators_features_", itertools.repeat(range(len(places)))
        )  # by a bag
        for inner, columns in itertools.islice(zip(members, drawn, strict=False), MAX_MEMBERS):
            yield inner, [places[column] for column in columns], True


def _keeps(step: Any) -> bool:
    """An imputer, unless it leaves out columns that were empty or adds others."""
    statistics = getattr(step, "statistics_", None)
    return statistics is not None and step.indicator_ is None and None not in map(_kind, statistics)


def _told(part: Part) -> list[Feature]:
    """By a part itself, of each of its columns; empty where nothing."""
    told: list[Feature] = []
    with suppress(Exception):
        of_booster = [_of_booster(feature) for feature in booster_features(part.estimator) or ()]
        told = of_booster or _of_parts(part.estimator, len(part.places))
        if not part.as_sent or not (of_booster or by_scikit_learn(part.estimator)):
            told = [Feature(None, ANY, categories=feature.categories) for feature in told]
    return told if len(told) == len(part.places) else []


def _of_booster(feature: Feature) -> Feature:
    return Feature(
        None, NUMBER if feature.numeric else feature.dtype, categories=feature.categories
    )


def _of_parts(part: Any, count: int) -> list[Feature]:
    if (preprocessor := getattr(part, "_preprocessor", None)) is not None:
        return _of_histogram(part, preprocessor)
    if hasattr(part, "categories_"):
        return [_of_values(known) for known in part.categories_]
    if hasattr(part, "statistics_"):
        return _of_statistics(part)
    return [Feature(None, kind)] * count if (kind := _by_tags(part)) else []


def _of_histogram(part: Any, preprocessor: Any) -> list[Feature]:
    """Histogram gradient boosting: pandas' categories, or columns that the user named."""
    known = map(_of_values, preprocessor.named_transformers_["encoder"].categories_)
    categories = [
        next(known) if category else Feature(None, NUMBER) for category in part.is_categorical_
    ]
    if part.categorical_features != "from_dtype":
        return categories
    return [
        Feature(None, CATEGORY, categories=f.categories) if f.categories else f for f in categories
    ]


def _of_statistics(imputer: Any) -> list[Feature]:
    """What stands in for missing values is like the others, unless the user chose it for columns of
    several kinds."""
    statistics = np.asarray(imputer.statistics_)
    if statistics.dtype.kind in "fiu":
        return [Feature(None, NUMBER)] * len(statistics)
    if imputer.strategy == "constant":
        return []
    return [Feature(None, _of_values([value]).dtype) for value in statistics]


def _of_values(values: Iterable[Any]) -> Feature:
    """The dtype that they have in common, and those that JSON can hold."""
    plain = [
        value.item() if isinstance(value, np.generic) and value.dtype.kind != "M" else value
        for value in values
    ]
    known = tuple(_sent(value) for value in plain if _kind(value) not in (None, ANY))
    kinds = {_kind(value) for value in plain} - {None}
    return Feature(None, kinds.pop() or ANY if len(kinds) == 1 else ANY, categories=known)


def _sent(value: Any) -> Any:
    """As a request holds it."""
    return (
        str(np.datetime64(value, "ns")).rstrip("0").rstrip(".")
        if _kind(value) == DATETIME
        else value
    )


def _kind(value: Any) -> str | None:
    """None of a missing value, ANY of one that JSON does not hold."""
    if isinstance(value, str | bool | np.bool_):
        return TEXT if isinstance(value, str) else BOOLEAN
    if isinstance(value, int | float | np.number) and np.isfinite(value):
        return NUMBER
    if str(value) != "NaT" and (
        isinstance(value, np.datetime64) or (isinstance(value, datetime) and not value.tzinfo)
    ):
        return DATETIME
    missing = value is None or str(value) in ("NaT", "<NA>", "nan")
    return None if missing else ANY


def _by_tags(part: Any) -> str | None:
    """NUMBER, TEXT or None. Only scikit-learn's own say so: others inherit tags that they never
    thought of."""
    from sklearn.utils import get_tags

    if not by_scikit_learn(part) or META_PARAMETERS & part.get_params(deep=False).keys():
        return None
    tags = get_tags(part)
    if tags.input_tags.string and not tags.input_tags.two_d_array:
        return TEXT
    silent = tags.no_validation or tags.input_tags.string or tags.input_tags.categorical
    return None if silent else NUMBER


def _both(one: Feature, other: Feature) -> Feature:
    """Who knows more is right: categories before a dtype, a dtype before nothing. Equals that
    differ tell nothing."""
    if _rank(one) != _rank(other):
        return max(one, other, key=_rank)
    known = tuple(
        dict.fromkeys(one.categories + other.categories)
    )  # of the folds that a calibration was fitted on
    return Feature(None, one.dtype if one.dtype == other.dtype else ANY, categories=known)


def _rank(feature: Feature) -> tuple[bool, bool, bool]:
    return (
        feature.dtype == CATEGORY,
        feature.dtype != ANY and bool(feature.categories),
        feature.dtype != ANY,
    )
