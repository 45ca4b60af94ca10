"""What an estimator was fitted on, column by column, as far as its parts tell: above all, encoders' categories."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import get_tags

from contract import BOOLEAN, CATEGORY, TEXT, Feature
from mlops.column_types import NUMBER

WRAPPED = ("best_estimator_", "estimator_", "regressor_", "classifier_")
SEVERAL = ("estimators_", "calibrated_classifiers_")

Column = str | int


def fitted_types(estimator: Any, columns: Sequence[Column]) -> dict[Column, Feature]:
    """Column -> what it held at the fit. ``columns``: the sample's; they are taken by place if the fit had no names."""
    found: dict[Column, Feature] = {}
    with contextlib.suppress(Exception):  # an estimator of one's own may look like one of scikit-learn's
        names = getattr(estimator, "feature_names_in_", None)
        if names is None and getattr(estimator, "n_features_in_", len(columns)) != len(columns):
            return {}
        places = {str(column): column for column in columns}
        for told, feature in _told(estimator, list(columns if names is None else names)):
            name = places.get(str(told), told)
            if feature.categories or name not in found:  # an encoder knows more than an imputer before it
                found[name] = feature
    return found


def _told(part: Any, columns: list[Any]) -> Iterator[tuple[Any, Feature]]:
    if hasattr(part, "steps"):
        yield from _of_pipeline(part.steps, columns)
    elif hasattr(part, "transformers_"):
        places = getattr(part, "_transformer_to_input_indices", {})
        for name, inner, _ in part.transformers_:
            yield from _told(inner, [columns[place] for place in places.get(name, ())])
    elif hasattr(part, "transformer_list"):
        for _, inner in part.transformer_list:
            yield from _told(inner, columns)
    elif inside := list(_wrapped(part)):
        for inner in inside:
            if getattr(inner, "n_features_in_", len(columns)) == len(columns):
                yield from _told(inner, columns)
    else:
        yield from zip(columns, _features(part, len(columns)), strict=False)


def _of_pipeline(steps: Iterable[tuple[str, Any]], columns: list[Any]) -> Iterator[tuple[Any, Feature]]:
    """Up to the first step that makes other columns of them."""
    for _, step in steps:
        if step is None or isinstance(step, str):  # "passthrough"
            continue
        yield from _told(step, columns)
        if len(getattr(step, "statistics_", ())) != len(columns):  # an imputer keeps them
            return


def _wrapped(part: Any) -> Iterator[Any]:
    """The estimators that get the columns as they are: of a search, a vote, a stack."""
    if hasattr(part, "estimator") and type(part).__name__ == "FrozenEstimator":
        yield part.estimator
    yield from (getattr(part, name) for name in WRAPPED if hasattr(getattr(part, name, None), "get_params"))
    for name in SEVERAL:
        inside = np.ravel(np.array(getattr(part, name, ()), dtype=object))
        kinds = {type(inner): inner for inner in inside if not hasattr(inner, "steps")}  # of a forest, one tree
        pipelines = [inner for inner in inside if hasattr(inner, "steps")]
        yield from (getattr(inner, "estimator", inner) for inner in (*kinds.values(), *pipelines))


def _features(part: Any, count: int) -> Iterable[Feature]:
    if (encoder := _categories_by_dtype(part)) is not None:
        return encoder
    if hasattr(part, "categories_"):
        return [_of_categories(values) for values in part.categories_]
    if hasattr(part, "statistics_"):
        return [Feature(None, TEXT if isinstance(value, str) else NUMBER) for value in part.statistics_]
    if hasattr(part, "get_booster"):
        kinds = part.get_booster().feature_types or ()
        return [Feature(None, CATEGORY if kind == "c" else NUMBER) for kind in kinds]
    return [Feature(None, kind)] * count if (kind := _by_tags(part)) else []


def _categories_by_dtype(part: Any) -> list[Feature] | None:
    """Of histogram gradient boosting on pandas' categories."""
    preprocessor = getattr(part, "_preprocessor", None)
    if preprocessor is None:
        return None
    by_dtype = getattr(part, "categorical_features", None) == "from_dtype"
    categories = iter(preprocessor.named_transformers_["encoder"].categories_)

    def feature(values: Any) -> Feature:
        return Feature(None, CATEGORY, categories=_plain(values)) if by_dtype else _of_categories(values)

    return [feature(next(categories)) if category else Feature(None, NUMBER) for category in part.is_categorical_]


def _of_categories(values: Any) -> Feature:
    known = _plain(values)
    kind = {"string": TEXT, "boolean": BOOLEAN, "integer": NUMBER, "floating": NUMBER}.get(
        pd.api.types.infer_dtype(list(known)), "any"
    )
    return Feature(None, kind, categories=known)


def _plain(values: Any) -> tuple[Any, ...]:
    return tuple(value for value in np.asarray(values, dtype=object).tolist() if not pd.isna(value))


def _by_tags(part: Any) -> str | None:
    """NUMBER, TEXT or None. Only scikit-learn's own say so: others inherit tags that they never thought of."""
    if not type(part).__module__.startswith("sklearn."):
        return None
    tags = get_tags(part)
    if tags.input_tags.string and not tags.input_tags.two_d_array:
        return TEXT
    silent = tags.no_validation or tags.input_tags.string or tags.input_tags.categorical
    return None if silent else NUMBER
