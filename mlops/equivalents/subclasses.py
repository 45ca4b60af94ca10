"""Subclasses of scikit-learn's classes that predict as those do, such as imbalanced-learn's."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from azureml_scoring.inputs.contract import METHODS


def without_subclass(thing: Any) -> Any:
    """Return an object of scikit-learn's class, or None if the subclass computes answers itself."""
    kinds = type(thing).__mro__
    if not isinstance(thing, BaseEstimator) or _by_scikit_learn(kinds[0]):
        return None
    if kinds[0].__module__.startswith("imblearn."):
        if hasattr(thing, "steps"):
            return _without_samplers(thing)
    elif any({*METHODS} & vars(kind).keys() for kind in _above(kinds)):
        return None
    base = next(
        kind for kind in kinds if _by_scikit_learn(kind) and issubclass(kind, BaseEstimator)
    )
    same: Any = object.__new__(base)
    vars(same).update(vars(thing))
    return same


def _by_scikit_learn(kind: type) -> bool:
    return kind.__module__.startswith("sklearn.")


def _above(kinds: tuple[type, ...]) -> list[type]:
    return [kind for kind in kinds if kind is not object and not _by_scikit_learn(kind)]


def _without_samplers(pipeline: Any) -> Pipeline:
    """Return the steps that predict: samplers only work in a fit."""
    return Pipeline([step for step in pipeline.steps if not hasattr(step[1], "fit_resample")])
