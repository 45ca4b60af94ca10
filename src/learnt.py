"""Values of the fit that an estimator keeps: its encoders know the categories of their columns."""

from __future__ import annotations

import math
from typing import Any

INNER = ("best_estimator_", "regressor_", "estimator_", "estimator", "_preprocessor")
"""What searches, transformed targets and others call the estimator that meets the same columns."""

SEVERAL = ("estimators_", "calibrated_classifiers_")
"""What ensembles call theirs, each of which meets them."""


def values(estimator: Any, count: int) -> list[Any]:
    """For each column one that is answered, None where nothing tells one."""
    try:
        found = _of(estimator)
    except Exception:  # a guess at the inner parts of what others wrote
        found = []
    return found if len(found) == count else [None] * count


def _of(part: Any) -> list[Any]:
    if hasattr(part, "categories_"):
        return [_plain(known) for known in part.categories_]
    if hasattr(part, "transformers_"):
        return _of_columns(part)
    for name in ("steps", "transformer_list"):
        if hasattr(part, name):  # in a pipeline those before an encoder keep the columns, as an imputer does
            return _first(inner for _, inner in getattr(part, name))
    one = [getattr(part, name, None) for name in INNER]
    several = [inner for name in SEVERAL for inner in list(getattr(part, name, ()))[:1]]
    return _first(inner for inner in one + several if inner is not None and not isinstance(inner, str))


def _first(parts: Any) -> list[Any]:
    """Of those that tell something."""
    return next(filter(None, map(_of, parts)), [])


def _of_columns(transformer: Any) -> list[Any]:
    found: list[Any] = [None] * transformer.n_features_in_
    places = transformer._transformer_to_input_indices
    for name, inner, _ in transformer.transformers_:
        if not isinstance(inner, str):
            for place, value in zip(places[name], _of(inner), strict=False):
                found[place] = value
    return found


def _plain(categories: Any) -> Any:
    """The first that JSON holds."""
    for value in getattr(categories, "tolist", lambda: list(categories))():
        if isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
            return value
    return None
