"""Reads columns off LightGBM's, XGBoost's and CatBoost's models: names and categories.

They know more than scikit-learn's interface shows. The libraries are not imported: attributes of
their models say it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.feature import ANY, CATEGORY, TEXT, Feature
from azureml_scoring.models.boosters.column_names import own_names

PACKAGE_ADVICE = (
    "package it with `mlops package MODEL --sample DATA --out DIR`, which measures that"
)
NUMERIC = Feature(None, missing=True)
ASCII_BYTES = range(128)


def booster_features(first: Any) -> tuple[Feature, ...] | None:
    """Return a booster's columns, None if ``first`` is not a booster.

    Categories may be missing: see ``check_categories``.
    """
    first = _native(first)
    return _lightgbm(first) or _xgboost(first) or _catboost(first)


def check_categories(first: Any, features: Sequence[Feature]) -> None:
    """Raise StartupError if a booster does not hold the categories of its ``features``."""
    categories = [feature.categories for feature in features if feature.dtype == CATEGORY]
    if not all(categories):
        raise StartupError(
            f"The model (XGBoost's) does not hold the categories of its columns, as those saved by "
            f"3.1 and later do; {PACKAGE_ADVICE}."
        )
    first = _native(first)
    if getattr(getattr(first, "booster_", first), "pandas_categorical", None) and not categories:
        raise StartupError(
            f"The model (LightGBM's) does not say which of its columns hold categories; "
            f"{PACKAGE_ADVICE}."
        )


def booster_names(first: Any) -> list[str] | None:
    """Return a booster's column names; None for others, and for names that the library made up."""
    first = _native(first)
    booster = getattr(first, "booster_", first)
    names: list[str] | None
    if hasattr(booster, "pandas_categorical"):
        names = list(booster.feature_name())
    elif hasattr(first, "get_cat_feature_indices"):
        names = list(first.feature_names_ or ())
    else:
        names = _xgboost_booster(first).feature_names if _xgboost_booster(first) else None
    return own_names(names)


def with_names(names: Iterable[Any] | None, features: Sequence[Feature]) -> tuple[Feature, ...]:
    if names is None:
        return tuple(features)
    return tuple(
        replace(feature, name=str(name)) for name, feature in zip(names, features, strict=True)
    )


def _native(first: Any) -> Any:
    """Return the library's own object, which an estimator of a booster's file holds."""
    return getattr(getattr(first, "booster", None), "native", first)


def _lightgbm(first: Any) -> tuple[Feature, ...] | None:
    """Read a LightGBM ``Booster``, or an estimator around one."""
    booster = getattr(first, "booster_", first)
    if not hasattr(booster, "pandas_categorical"):
        return None
    count, categories = booster.num_feature(), booster.pandas_categorical or []
    params = booster.params
    places = params.get("categorical_column") or params.get("categorical_feature") or []
    if len(places) != len(categories) and categories:
        return with_names(booster_names(first), [Feature(None, ANY)] * count)
    features = [NUMERIC] * count
    for place, known in zip(sorted(places), categories, strict=False):
        features[place] = Feature(
            None, CATEGORY, missing=True, categories=tuple(known), unseen=True
        )
    return with_names(booster_names(first), features)


def _xgboost(first: Any) -> tuple[Feature, ...] | None:
    """Read an XGBoost ``Booster``, or an estimator around one.

    None if all columns are plain numbers: scikit-learn's attributes say enough then.
    """
    booster = _xgboost_booster(first)
    types = booster.feature_types if booster else None
    if types is None:
        return None
    categories = _xgboost_categories(booster, types) if "c" in types else itertools.repeat(())
    features = [
        Feature(None, CATEGORY, missing=True, categories=known) if kind == "c" else NUMERIC
        for kind, known in zip(types, categories, strict=False)
    ]
    return with_names(booster_names(first), features)


def _xgboost_booster(first: Any) -> Any:
    """Return XGBoost's ``Booster``, or None if there is none."""
    booster = first.get_booster() if hasattr(first, "get_booster") else first
    return (
        booster
        if isinstance(getattr(booster, "feature_types", None), list)
        and hasattr(booster, "save_raw")
        else None
    )


def _xgboost_categories(booster: Any, types: list[str]) -> list[tuple[Any, ...]]:
    """Return each column's categories, empty if they are not saved.

    XGBoost's own method for them needs pyarrow.
    """
    try:
        model = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]["model"]
        categories = [_decoded(column) for column in model["cats"]["enc"]]
    except (KeyError, TypeError):
        categories = []
    return categories if len(categories) == len(types) else [()] * len(types)


def _decoded(column: dict[str, list[int]]) -> tuple[Any, ...]:
    """Decode a column's categories: numbers, or texts in one UTF-8 string with offsets.

    XGBoost (3.2) counts the characters of texts that are not ASCII, and cuts their bytes off
    there: none of the column are known then.
    """
    if "offsets" not in column:
        return tuple(column["values"])
    values = column["values"]
    if any(value not in ASCII_BYTES for value in values):
        return ()
    data = bytes(values)
    return tuple(data[start:end].decode() for start, end in itertools.pairwise(column["offsets"]))


def _catboost(first: Any) -> tuple[Feature, ...] | None:
    """Read a CatBoost model; loaded from a file, its ``n_features_in_`` is 0."""
    if not hasattr(first, "get_cat_feature_indices") or not getattr(first, "feature_names_", None):
        return None
    features = [NUMERIC] * len(first.feature_names_)
    for place in first.get_cat_feature_indices():
        features[place] = Feature(None, ANY)
    for place in first.get_text_feature_indices():
        features[place] = Feature(None, TEXT)
    return with_names(booster_names(first), features)
