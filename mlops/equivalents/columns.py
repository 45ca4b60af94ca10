"""Transformers that select columns: by name, or by a statistic of the fit."""

from __future__ import annotations

import copy
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import VarianceThreshold


def selection(selector: Any) -> VarianceThreshold:
    """Return a fitted selector of the same columns. ``selector``: one of scikit-learn's."""
    support = selector.get_support()
    simple = VarianceThreshold(0.5)
    simple.variances_ = support.astype(float)
    simple.n_features_in_ = len(support)
    return simple


def _by_place(transformer: Any) -> Any:
    """Return a ColumnTransformer that takes its columns by place: a matrix has no names."""
    places = transformer._transformer_to_input_indices
    by_place = [(name, part, [*places[name]]) for name, part, _ in transformer.transformers_]
    if all(_same(*pair) for pair in zip(by_place, transformer.transformers_, strict=True)):
        return None
    numbered = copy.copy(transformer)
    numbered.transformers_ = by_place
    return numbered


def _same(one: tuple[str, Any, list[int]], other: tuple[str, Any, Any]) -> bool:
    return isinstance(other[2], list) and one[2] == other[2]


EQUIVALENTS = {ColumnTransformer: _by_place}
