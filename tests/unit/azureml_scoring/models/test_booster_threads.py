"""Boosters compute with a worker's share of threads."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boosted
import numpy as np
import pytest
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import support
from azureml_scoring.models.booster_threads import thread_setters
from azureml_scoring.models.boosters.native_file import read
from azureml_scoring.models.library_threads import LibraryThreads

Make = Callable[..., Any]


def fitted(make: Make, around: Callable[[Any], Any], kind: str = "amounts") -> Any:
    return around(make()).fit(boosted.rows(), boosted.target(kind))


def set_all(estimator: Any, threads: int) -> int:
    setters = thread_setters(estimator, boosted.WIDTH)
    LibraryThreads(setters).limit(threads)
    return len(setters)


def test_xgboost_is_told_wherever_it_is():
    """In a pipeline, or one of several models for several targets."""
    alone = fitted(boosted.xgboost, lambda booster: make_pipeline(StandardScaler(), booster))
    assert set_all(alone, 3) == 1
    assert '"nthread":"3"' in alone[-1].get_booster().save_config()
    several = fitted(boosted.xgboost, MultiOutputRegressor, "pairs")
    assert set_all(several, 3) == 2
    assert [part.n_jobs for part in several.estimators_] == [3, 3]


def test_lightgbm_is_told():
    """It asks its n_jobs at each predict."""
    estimator = fitted(boosted.lightgbm, lambda booster: booster)
    assert set_all(estimator, 3) == 1
    assert estimator.n_jobs == 3


def test_catboost_is_told(monkeypatch: pytest.MonkeyPatch):
    """It would start as many threads as the machine has processors, at each predict."""
    estimator = fitted(boosted.catboost, lambda booster: booster)
    expected = estimator.predict(boosted.rows())
    asked: list[int] = []
    predict = type(estimator).predict

    @functools.wraps(predict)
    def asking(*args: Any, **kwargs: Any) -> Any:
        asked.append(kwargs["thread_count"])
        return predict(*args, **kwargs)

    monkeypatch.setattr(type(estimator), "predict", asking)
    assert set_all(estimator, 3) == 1
    np.testing.assert_array_equal(estimator.predict(boosted.rows()), expected)
    assert asked == [3]


@pytest.mark.parametrize(
    ("library", "suffix"), [("xgboost", "ubj"), ("lightgbm", "txt"), ("catboost", "cbm")]
)
def test_a_booster_of_a_file_is_told(library: Any, suffix: str, tmp_path: Path):
    """And answers as with one thread."""
    estimator = fitted(getattr(boosted, library), lambda booster: booster)
    file = tmp_path / f"m.{suffix}"
    getattr(estimator, "booster_", estimator).save_model(str(file))
    model = read(file.read_bytes(), library)
    expected = model.predict(boosted.rows())
    assert set_all(model, 2) == 1
    np.testing.assert_array_equal(model.predict(boosted.rows()), expected)


def test_other_models_have_nothing_to_be_told():
    """Their libraries keep to OpenMP's limit."""
    assert set_all(support.plain_regression()[0], 3) == 0
