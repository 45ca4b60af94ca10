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


def _plain_steps(pipeline: Any) -> Pipeline | None:
    """Return a pipeline without steps that do nothing, in which an elimination only selects unless
    it is the last step."""
    *inner, last = pipeline.steps
    steps = [
        (name, selection(step) if type(step) in ELIMINATIONS else step)
        for name, step in inner
        if not _is_nothing(step)
    ]
    if not (steps and _is_nothing(last[1])):
        steps.append(last)
    return None if steps == pipeline.steps else Pipeline(steps)


def _is_nothing(step: Any) -> bool:
    return step is None or (isinstance(step, str) and step == "passthrough")


EQUIVALENTS = {
    FrozenEstimator: _frozen,
    SelfTrainingClassifier: _last,
    **dict.fromkeys(
        [GridSearchCV, HalvingGridSearchCV, HalvingRandomSearchCV, RandomizedSearchCV], _best
    ),
    **dict.fromkeys(ELIMINATIONS, _on_selection),
    Pipeline: _plain_steps,
}
