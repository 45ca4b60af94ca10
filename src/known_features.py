"""What an estimator tells of the columns it takes, where neither a manifest nor a signature does."""

from __future__ import annotations

from typing import Any

import numpy as np

import learnt
from booster_features import NUMBER, PACKAGE, booster_features, booster_names, named
from contract import ANY, TEXT, Feature
from errors import StartupError


def features_of(estimator: Any) -> tuple[Feature, ...]:
    """Raises StartupError where the estimator does not even tell how many columns it takes."""
    if takes_texts(estimator):
        return (Feature(None, TEXT),)
    if told := booster_features(first_step(estimator)):
        return told
    count = getattr(estimator, "n_features_in_", None)
    if not isinstance(count, int | np.integer) or count < 1:
        _refuse_unfitted(estimator)
        raise StartupError(
            f"The model ({type(estimator).__name__}) does not tell how many features it takes; {PACKAGE}."
        )
    return named(getattr(estimator, "feature_names_in_", None), _by_kind(estimator, int(count)))


def with_categories(features: tuple[Feature, ...], estimator: Any) -> tuple[Feature, ...]:
    """Those of a signature, to which pandas' categories are texts; a booster takes them only as what they were."""
    told = {feature.name: feature for feature in booster_features(first_step(estimator)) or ()}
    known = [told.get(feature.name, feature) if feature.name is not None else feature for feature in features]
    return tuple(own if own.categories else signed for own, signed in zip(known, features, strict=True))


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
        names = booster_names(first_step(estimator))
    return None if names is None else [str(name) for name in names]


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
