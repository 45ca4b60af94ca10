"""Sets the threads of boosters, which don't keep to the limits of OpenMP.

XGBoost and LightGBM set OpenMP's limit themselves at each predict; CatBoost has threads of its own,
by default as many as the machine has processors, and starts them anew each time.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from azureml_scoring.models.estimators.estimator_parts import parts

SetThreads = Callable[[int], None]

CATBOOST_METHODS = ("predict", "predict_proba", "predict_log_proba")


def thread_setters(estimator: Any, count: int) -> list[SetThreads]:
    """Return a function for each booster in an estimator of ``count`` columns."""
    found = (_setter(part.estimator) for part in parts(estimator, count))
    return [setter for setter in found if setter]


def _setter(part: Any) -> SetThreads | None:
    # A class from outside may have any attributes; and an ensemble's template is not fitted.
    with suppress(Exception):
        if hasattr(part, "booster") and hasattr(part.booster, "set_threads"):
            setter: SetThreads = part.booster.set_threads
            return setter
        if hasattr(part, "get_booster") and hasattr(part, "n_jobs"):
            return functools.partial(_set_xgboost, part, part.get_booster())
        if hasattr(part, "booster_") and hasattr(part, "n_jobs"):
            return functools.partial(setattr, part, "n_jobs")
        if hasattr(part, "get_cat_feature_indices"):
            return functools.partial(_set_catboost, part)
    return None


def _set_xgboost(part: Any, booster: Any, threads: int) -> None:
    part.n_jobs = threads
    booster.set_param({"nthread": threads})


def _set_catboost(part: Any, threads: int) -> None:
    for name in CATBOOST_METHODS:
        method = getattr(type(part), name, None)
        if method and "thread_count" in inspect.signature(method).parameters:
            setattr(part, name, functools.partial(method, part, thread_count=threads))
