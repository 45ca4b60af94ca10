"""Finds out what an estimator's columns held at its fit.

Encoders, imputers, boosters and scikit-learn's tags say it. A part that fails or is not known says
nothing: it may be a class from outside, with any attributes.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from azureml_scoring.inputs.feature import ANY, CATEGORY, TEXT, Feature
from azureml_scoring.models.estimators.booster_features import booster_features
from azureml_scoring.models.estimators.estimator_parts import Part, by_scikit_learn, parts
from azureml_scoring.models.estimators.known_values import NUMBER, feature_of_values, kind_of

UNKNOWN = Feature(None, ANY)

META_PARAMETERS = {
    "steps",
    "transformers",
    "transformer_list",
    "estimators",
    "estimator",
    "regressor",
}
"""Parameters of estimators that hold others; their tags don't say what those take."""


def fitted_columns(estimator: Any, count: int) -> list[Feature]:
    """Return a Feature without a name for each of ``count`` columns.

    The dtype is TEXT, BOOLEAN, CATEGORY, DATETIME or NUMBER, or ANY if nothing is known. Known
    values are in ``categories``, whatever the dtype; with ANY they come from a later step, and the
    model probably answers them.
    """
    columns = [UNKNOWN] * count
    with suppress(Exception):
        for part in parts(estimator, count):
            for place, feature in zip(part.places, _features_of(part), strict=False):
                columns[place] = _merged(columns[place], feature)
    return columns


def object_columns(estimator: Any, count: int) -> dict[int, float | None]:
    """Return the columns that an encoder or imputer must get as Python objects, with their missing
    value at the fit: None or NaN.

    Among objects these find neither numpy's numbers nor the other missing value.
    """
    columns: dict[int, float | None] = {}
    with suppress(Exception):
        for part in parts(estimator, count):
            if part.as_sent and by_scikit_learn(part.estimator):
                if getattr(part.estimator, "missing_values", np.nan) is None:
                    columns |= dict.fromkeys(part.places, None)
                for place, known in zip(
                    part.places, getattr(part.estimator, "categories_", ()), strict=False
                ):
                    if known.dtype == object:
                        columns |= _of_objects(place, known)
    return columns


def float_columns(estimator: Any, count: int) -> list[int]:
    """Return the columns that an imputer met as floats.

    pandas' nullable whole numbers and booleans reach it so at the fit. Without a gap it would
    refuse them as what they are.
    """
    places: list[int] = []
    with suppress(Exception):
        for part in parts(estimator, count):
            kind = getattr(getattr(part.estimator, "_fit_dtype", None), "kind", None)
            if kind == "f" and part.as_sent and by_scikit_learn(part.estimator):
                places += part.places
    return places


def _of_objects(place: int, known: np.ndarray) -> dict[int, float | None]:
    missing = [value for value in known if kind_of(value) is None]
    if None not in missing and feature_of_values(known).dtype != NUMBER:
        return {}
    return {place: None if missing == [None] else np.nan}


def _features_of(part: Part) -> list[Feature]:
    """Return what a part itself says of its columns; empty if it says nothing."""
    features: list[Feature] = []
    with suppress(Exception):
        of_booster = [_of_booster(feature) for feature in booster_features(part.estimator) or ()]
        features = of_booster or _of_attributes(part.estimator, len(part.places))
        if not part.as_sent or not (of_booster or by_scikit_learn(part.estimator)):
            features = [Feature(None, ANY, categories=feature.categories) for feature in features]
    return features if len(features) == len(part.places) else []


def _of_booster(feature: Feature) -> Feature:
    return replace(feature, dtype=NUMBER if feature.numeric else feature.dtype, missing=False)


def _of_attributes(part: Any, count: int) -> list[Feature]:
    if (preprocessor := getattr(part, "_preprocessor", None)) is not None:
        return _of_histogram(part, preprocessor)
    if hasattr(part, "categories_"):
        return [feature_of_values(known) for known in part.categories_]
    if hasattr(part, "statistics_"):
        return _of_statistics(part)
    return [Feature(None, kind)] * count if (kind := _by_tags(part)) else []


def _of_histogram(part: Any, preprocessor: Any) -> list[Feature]:
    """Read histogram gradient boosting: pandas' categories, or columns that the user named."""
    known = map(feature_of_values, preprocessor.named_transformers_["encoder"].categories_)
    categories = [
        next(known) if category else Feature(None, NUMBER) for category in part.is_categorical_
    ]
    if part.categorical_features != "from_dtype":
        return categories
    return [
        Feature(None, CATEGORY, categories=f.categories, unseen=True) if f.categories else f
        for f in categories
    ]


def _of_statistics(imputer: Any) -> list[Feature]:
    """Read an imputer: its fill value is like the column's values, unless the user chose one value
    for columns of several dtypes."""
    statistics = np.asarray(imputer.statistics_)
    if statistics.dtype.kind in "fiu":
        return [Feature(None, NUMBER)] * len(statistics)
    if imputer.strategy == "constant":
        return []
    return [Feature(None, feature_of_values([value]).dtype) for value in statistics]


def _by_tags(part: Any) -> str | None:
    """Return NUMBER, TEXT or None by scikit-learn's tags.

    Only its own classes count: others inherit tags that their authors never thought of.
    """
    if not by_scikit_learn(part) or META_PARAMETERS & part.get_params(deep=False).keys():
        return None
    from sklearn.utils import get_tags

    tags = get_tags(part)
    if tags.input_tags.string and not tags.input_tags.two_d_array:
        return TEXT
    unclear = tags.no_validation or tags.input_tags.string or tags.input_tags.categorical
    return None if unclear else NUMBER


def _merged(one: Feature, other: Feature) -> Feature:
    """Keep the Feature that knows more: categories before a dtype, a dtype before nothing.

    Two that know as much but differ leave ANY.
    """
    if _rank(one) != _rank(other):
        return max(one, other, key=_rank)
    # A calibration's folds may each have met other categories.
    known = tuple(dict.fromkeys(one.categories + other.categories))
    dtype = one.dtype if one.dtype == other.dtype else ANY
    return Feature(None, dtype, categories=known, unseen=one.unseen and other.unseen)


def _rank(feature: Feature) -> tuple[bool, bool, bool]:
    return (
        feature.dtype == CATEGORY,
        feature.dtype != ANY and bool(feature.categories),
        feature.dtype != ANY,
    )
