"""What an estimator tells of the columns it takes, where neither a manifest nor a signature does.

LightGBM, XGBoost and CatBoost keep more than scikit-learn asks of them: names, also whole numbers', and categories.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

import learnt
from contract import ANY, CATEGORY, TEXT, Feature
from errors import StartupError

PACKAGE = "package it with `mlops package MODEL --sample DATA --out DIR`, which measures that"
NUMBER = Feature(None, missing=True)


def features_of(estimator: Any) -> tuple[Feature, ...]:
    """Raises StartupError where the estimator does not even tell how many columns it takes."""
    if takes_texts(estimator):
        return (Feature(None, TEXT),)
    if told := _of_booster(first_step(estimator)):
        return told
    count = getattr(estimator, "n_features_in_", None)
    if not isinstance(count, int | np.integer) or count < 1:
        _refuse_unfitted(estimator)
        raise StartupError(
            f"The model ({type(estimator).__name__}) does not tell how many features it takes; {PACKAGE}."
        )
    return _named(getattr(estimator, "feature_names_in_", None), _by_kind(estimator, int(count)))


def _by_kind(estimator: Any, count: int) -> list[Feature]:
    """Numbers, unless texts may come."""
    anything = Feature(None, ANY, missing=True)
    if _takes_anything(estimator):
        return [anything] * count
    texts = [isinstance(value, str | bool) for value in learnt.values(estimator, count)]
    if any(texts):
        return [anything if text else NUMBER for text in texts]
    return [Feature(None)] * count


def _refuse_unfitted(estimator: Any) -> None:
    """Of scikit-learn's own: those of others need not show it. Raises StartupError."""
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    last = estimator
    while getattr(last, "steps", None):
        last = last.steps[-1][1]
    if type(last).__module__.startswith("sklearn."):
        try:
            check_is_fitted(last)
        except NotFittedError:
            raise StartupError(
                f"The model ({type(estimator).__name__}) is not fitted; call its fit() and save it again."
            ) from None


def names_of(estimator: Any) -> list[str] | None:
    """The columns' names, whole numbers as text; None where it tells none."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        names = _booster_names(first_step(estimator))
    return None if names is None else [str(name) for name in names]


def _booster_names(first: Any) -> list[str] | None:
    booster = getattr(first, "booster_", first)
    names: list[str] | None
    if hasattr(booster, "pandas_categorical"):
        names = list(booster.feature_name())
    elif hasattr(first, "get_cat_feature_indices"):
        names = list(first.feature_names_ or ())
    else:
        names = _xgboost_booster(first).feature_names if _xgboost_booster(first) else None
    automatic = ([f"Column_{i}" for i in range(len(names or ()))], [str(i) for i in range(len(names or ()))])
    return None if names in automatic else names


def _of_booster(first: Any) -> tuple[Feature, ...] | None:
    return _lightgbm(first) or _xgboost(first) or _catboost(first)


def first_step(estimator: Any) -> Any:
    """What meets the input: inside pipelines and searches, the first step."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif getattr(estimator, "steps", None):
            estimator = estimator.steps[0][1]
        else:
            return estimator


def takes_texts(estimator: Any) -> bool:
    """A list of them, as vectorizers do, in place of a table."""
    tags = _input_tags(estimator)
    return bool(tags and tags.string and not tags.two_d_array)


def _takes_anything(estimator: Any) -> bool:
    """Its columns may hold texts: each has a transformer of its own, or categories are what it is made for."""
    first, tags = first_step(estimator), _input_tags(estimator)
    return hasattr(first, "transformers") or hasattr(first, "transformer_list") or bool(tags and tags.categorical)


def _input_tags(estimator: Any) -> Any:
    try:
        from sklearn.utils import get_tags

        return get_tags(first_step(estimator)).input_tags
    except Exception:  # estimators of other libraries need not have tags, and raise what they like
        return None


def _named(names: Iterable[Any] | None, features: Sequence[Feature]) -> tuple[Feature, ...]:
    if names is None:
        return tuple(features)
    return tuple(Feature(str(name), f.dtype, f.missing, f.categories) for name, f in zip(names, features, strict=True))


def _lightgbm(first: Any) -> tuple[Feature, ...] | None:
    """A ``Booster``, or an estimator around one."""
    booster = getattr(first, "booster_", first)
    if not hasattr(booster, "pandas_categorical"):
        return None
    count, categories = booster.num_feature(), booster.pandas_categorical or []
    params = booster.params
    places = params.get("categorical_column") or params.get("categorical_feature") or []
    if len(places) != len(categories) and categories:
        raise StartupError(f"The model (LightGBM's) does not tell which of its columns hold categories; {PACKAGE}.")
    features = [NUMBER] * count
    for place, known in zip(sorted(places), categories, strict=False):
        features[place] = Feature(None, CATEGORY, missing=True, categories=tuple(known))
    return _named(_booster_names(first), features)


def _xgboost(first: Any) -> tuple[Feature, ...] | None:
    """A ``Booster``, or an estimator around one; of columns of nothing but numbers scikit-learn's names tell enough."""
    booster = _xgboost_booster(first)
    types = booster.feature_types if booster else None
    if types is None:
        return None
    categories = _xgboost_categories(booster, types) if "c" in types else itertools.repeat(())
    features = [
        Feature(None, CATEGORY, missing=True, categories=known) if kind == "c" else NUMBER
        for kind, known in zip(types, categories, strict=False)
    ]
    return _named(_booster_names(first), features)


def _xgboost_booster(first: Any) -> Any:
    """None where it is none."""
    booster = first.get_booster() if hasattr(first, "get_booster") else first
    return (
        booster if isinstance(getattr(booster, "feature_types", None), list) and hasattr(booster, "save_raw") else None
    )


def _xgboost_categories(booster: Any, types: list[str]) -> list[tuple[Any, ...]]:
    """Of each column. It has a method for them that needs pyarrow."""
    try:
        model = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]["model"]
        found = [_decoded(column) for column in model["cats"]["enc"]]
    except (KeyError, TypeError):
        found = []
    if len(found) != len(types) or any(kind == "c" and not known for kind, known in zip(types, found, strict=True)):
        raise StartupError(
            f"The model (XGBoost's) does not hold the categories of its columns, as those saved by 3.1 and later do; "
            f"{PACKAGE}."
        )
    return found


def _decoded(column: dict[str, list[int]]) -> tuple[Any, ...]:
    """Texts are one after the other in UTF-8; numbers are themselves."""
    if "offsets" not in column:
        return tuple(column["values"])
    data = bytes(column["values"])
    return tuple(data[start:end].decode() for start, end in itertools.pairwise(column["offsets"]))


def _catboost(first: Any) -> tuple[Feature, ...] | None:
    """Once it is loaded from a file, ``n_features_in_`` is 0."""
    if not hasattr(first, "get_cat_feature_indices") or not getattr(first, "feature_names_", None):
        return None
    features = [NUMBER] * len(first.feature_names_)
    for place in first.get_cat_feature_indices():
        features[place] = Feature(None, ANY)
    for place in first.get_text_feature_indices():
        features[place] = Feature(None, TEXT)
    return _named(_booster_names(first), features)
