from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import support
from mlops.package import package

FRAME = pd.DataFrame({"a": np.arange(20.0)})


class Parallel(ClassifierMixin, BaseEstimator):
    """Takes longer with many jobs, as what hands a row to other processes does."""

    def __init__(self, n_jobs: int | None = None) -> None:
        self.n_jobs = n_jobs

    def fit(self, X: pd.DataFrame, y: object = None) -> Parallel:
        self.classes_ = np.array([0, 1])
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        if self.n_jobs not in (None, 1):
            time.sleep(0.05)
        return np.asarray(X)[:, 0] > 9


def notes(estimator: object, folder: Path) -> list[str]:
    said: list[str] = []
    package(support.dump(estimator, folder), FRAME, folder / "out", say=said.append)
    return [line for line in said if "n_jobs" in line]


def test_what_many_jobs_cost_is_told_with_what_to_call(tmp_path: Path):
    """How long a row takes with them and without, and the call that ends it."""
    (line,) = notes(
        make_pipeline(FunctionTransformer(), Parallel(n_jobs=-1)).fit(FRAME, [0, 1] * 10), tmp_path
    )
    assert "note: n_jobs=-1 of Parallel makes a row take" in line
    assert "call model.set_params(parallel__n_jobs=1) and save the model again" in line


def test_jobs_that_set_params_does_not_reach_are_named(tmp_path: Path):
    """In a search, it would change the estimator that the best one was copied from."""
    (line,) = notes(GridSearchCV(Parallel(n_jobs=2), {}, cv=2).fit(FRAME, [0, 1] * 10), tmp_path)
    assert "fit it with n_jobs=1, or set that on its Parallel, and save the model again" in line


@pytest.mark.parametrize("jobs", [None, 1])
def test_one_job_is_no_matter(tmp_path: Path, jobs: int | None):
    """An unset n_jobs causes no note either."""
    assert notes(Parallel(n_jobs=jobs).fit(FRAME), tmp_path) == []
