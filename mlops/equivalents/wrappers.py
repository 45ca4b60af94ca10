"""Estimators around another one that only pass its answers on."""

from __future__ import annotations

from typing import Any

from sklearn.experimental import enable_halving_search_cv  # noqa: F401  it makes two classes known
from sklearn.feature_selection import RFE, RFECV
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
)
from sklearn.pipeline import Pipeline
from sklearn.semi_supervised import SelfTrainingClassifier

from mlops.equivalents.columns import selection

ELIMINATIONS = (RFE, RFECV)


def _frozen(frozen: Any) -> Any:
    return frozen.estimator


def _best(search: Any) -> Any:
    return search.best_estimator_


def _last(training: Any) -> Any:
    return training.estimator_


def _on_selection(elimination: Any) -> Any:
    """Return the last model behind the columns that it was left with."""
    return Pipeline([("columns", selection(elimination)), ("model", elimination.estimator_)])


def _selecting(pipeline: Any) -> Pipeline | None:
    """Return a pipeline in which an elimination only selects, unless it is the last step."""
    *inner, last = pipeline.steps
    if not any(type(step) in ELIMINATIONS for _, step in inner):
        return None
    selecting = [
        (name, selection(step) if type(step) in ELIMINATIONS else step) for name, step in inner
    ]
    return Pipeline([*selecting, last])


EQUIVALENTS = {
    FrozenEstimator: _frozen,
    SelfTrainingClassifier: _last,
    **dict.fromkeys(
        [GridSearchCV, HalvingGridSearchCV, HalvingRandomSearchCV, RandomizedSearchCV], _best
    ),
    **dict.fromkeys(ELIMINATIONS, _on_selection),
    Pipeline: _selecting,
}
