"""Reads a model's features off the estimator: names, dtypes and how many there are.

For models that neither a manifest nor a signature describes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.feature import ANY, BOOLEAN, CATEGORY, DATETIME, TEXT, Feature
from azureml_scoring.models.estimators.booster_features import (
    PACKAGE_ADVICE,
    booster_features,
    booster_names,
    check_categories,
    with_names,
)
from azureml_scoring.models.estimators.fitted_columns import UNKNOWN, fitted_columns
from azureml_scoring.models.estimators.known_values import NUMBER

MAX_EXACT_INTEGER = 2**53
"""Up to here a float64 holds each whole number."""

MAX_NESTING = 100
"""How deep pipelines and searches may lie within each other."""


def features_of(estimator: Any) -> tuple[Feature, ...]:
    """Return the features. Raises StartupError if the estimator doesn't hold their number."""
    if takes_texts(estimator):
        return (Feature(None, TEXT),)
    first = first_step(estimator)
    if features := booster_features(first):
        check_categories(first, features)
        return features
    count = getattr(estimator, "n_features_in_", None)
    if not isinstance(count, int | np.integer) or count < 1:
        _refuse_unfitted(estimator)
        raise StartupError(
            f"The model ({getattr(estimator, 'file_kind', type(estimator).__name__)}) does not say "
            f"how many features it takes; {PACKAGE_ADVICE}."
        )
    return with_names(
        getattr(estimator, "feature_names_in_", None), _of_columns(estimator, int(count))
    )


def with_fitted(signed: tuple[Feature, ...], estimator: Any) -> tuple[Feature, ...]:
    """Return a signature's features, corrected by what the estimator was fitted on.

    To MLflow pandas' categories are texts, and a signature may be wrong: an encoder that ignores
    unknown values would answer every request, wrongly.
    """
    names = names_of(estimator)
    fitted = fitted_columns(estimator, len(signed if names is None else names))
    if names is not None:
        by_name = dict(zip(names, fitted, strict=True))
        fitted = [by_name.get(feature.name or "", UNKNOWN) for feature in signed]
    return tuple(map(_corrected, signed, fitted))


def _corrected(signed: Feature, fitted: Feature) -> Feature:
    if not fitted.categories or fitted.dtype in (ANY, signed.dtype):
        return signed
    if fitted.dtype == CATEGORY:
        return replace(_taken(fitted), name=signed.name, optional=signed.optional)
    if TEXT in (signed.dtype, fitted.dtype) or signed.dtype == ANY:
        return replace(
            _taken(fitted), name=signed.name, missing=signed.missing, optional=signed.optional
        )
    return signed


def _of_columns(estimator: Any, count: int) -> list[Feature]:
    """Return number columns, unless the estimator may take others.

    An estimator that takes missing values in some columns only decides itself.
    """
    fitted = fitted_columns(estimator, count)
    if _takes_anything(estimator) or any(map(_is_not_number, fitted)):
        return [_taken(feature) for feature in fitted]
    return [Feature(None)] * count


def _is_not_number(fitted: Feature) -> bool:
    return fitted.dtype in (TEXT, BOOLEAN, CATEGORY, DATETIME) or any(
        isinstance(known, str | bool) for known in fitted.categories
    )


def _taken(fitted: Feature) -> Feature:
    if fitted.dtype == NUMBER and all(
        -MAX_EXACT_INTEGER < float(known) < MAX_EXACT_INTEGER for known in fitted.categories
    ):
        return Feature(None, missing=True)
    if fitted.dtype == CATEGORY and fitted.categories:
        return replace(fitted, missing=True)
    return Feature(
        None, fitted.dtype if fitted.dtype in (TEXT, BOOLEAN, DATETIME) else ANY, missing=True
    )


def _refuse_unfitted(estimator: Any) -> None:
    """Raise StartupError for an unfitted estimator of scikit-learn; others may not show it."""
    last = estimator
    while getattr(last, "steps", None):
        last = last.steps[-1][1]
    if type(last).__module__.startswith("sklearn."):
        from sklearn.exceptions import NotFittedError
        from sklearn.utils.validation import check_is_fitted

        try:
            check_is_fitted(last)
        except NotFittedError:
            raise StartupError(
                f"The model ({type(estimator).__name__}) is not fitted; call its fit() and save "
                f"it again."
            ) from None


def names_of(estimator: Any) -> list[str] | None:
    """Return the column names, whole numbers as text; None if the estimator has none."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        names = booster_names(first_step(estimator))
    return None if names is None else [str(name) for name in names]


def first_step(estimator: Any) -> Any:
    """Return the estimator that gets the input: the first step inside pipelines and searches."""
    for _ in range(MAX_NESTING):
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(getattr(estimator, "steps", None), list):
            estimator = estimator.steps[0][1]
        else:
            break
    return estimator


def takes_texts(estimator: Any) -> bool:
    """True for an estimator that takes a list of texts in place of a table, like a vectorizer."""
    if united := getattr(first_step(estimator), "transformer_list", None):
        return any(takes_texts(transformer) for _, transformer in united)
    tags = _input_tags(estimator)
    return bool(tags and tags.string and not tags.two_d_array)


def _takes_anything(estimator: Any) -> bool:
    """True if columns may hold texts: each has its own transformer, or the first step takes
    categories."""
    first, tags = first_step(estimator), _input_tags(estimator)
    return (
        hasattr(first, "transformers")
        or hasattr(first, "transformer_list")
        or bool(tags and tags.categorical)
    )


def _input_tags(estimator: Any) -> Any:
    first = first_step(estimator)
    if not hasattr(first, "__sklearn_tags__"):
        return None
    try:
        from sklearn.utils import get_tags

        return get_tags(first).input_tags
    except Exception:  # estimators of other libraries may lack tags, and raise anything
        return None
