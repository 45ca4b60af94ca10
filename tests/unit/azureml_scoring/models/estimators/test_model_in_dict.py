from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from azureml_scoring.inputs.limits import Limits
from azureml_scoring.models.estimators.model_in_dict import model_in_dict
from azureml_scoring.models.loading import load
from azureml_scoring.settings import Settings
from mlops.package import package
from validation import validate

X = np.random.default_rng(0).normal(size=(60, 2))
y = X @ [1.0, 10.0]
FRAME = pd.DataFrame(X, columns=["low", "high"])


def model() -> Any:
    return make_pipeline(StandardScaler(), LinearRegression()).fit(X, y)


def on_names() -> Any:
    return LinearRegression().fit(FRAME, y)


class Raising:
    @property
    def predict(self) -> Any:
        raise RuntimeError


def test_a_dict_with_a_property_that_raises_stays_as_it_is():
    """So the start ends with a sentence, not with the property's own error."""
    content = {"model": Raising()}
    assert model_in_dict(content) is content


@pytest.mark.parametrize(
    "content",
    [
        {"model": model()},
        {"clf": model(), "features": ["low", "high"], "version": 3},
        {"model": model(), "feature_columns": np.array(["low", "high"]), "metrics": {"r2": 0.9}},
        {"model": on_names(), "columns": FRAME.columns, "trained_at": "2026-01-01"},
    ],
)
def test_the_model_of_a_dict_is_taken_under_any_key(content: dict[str, Any]):
    """With names of its columns and descriptions beside it."""
    taken = model_in_dict(content)
    assert taken in content.values()
    if len(content) > 1:
        assert list(taken.feature_names_in_) == ["low", "high"]


@pytest.mark.parametrize(
    "content",
    [
        {"model": model(), "threshold": 0.3},
        {"model": model(), "score_threshold": 0.3},
        {"model": model(), "score_shift": 2.0},
        {"model": model(), "metric_weights": [1.0, 2.0]},
        {"model": model(), "class_names": ["no", "yes"]},
        {"model": model(), "target_names": ["no", "yes"]},
        {"scaler": StandardScaler().fit(X), "model": model()},
        {"model": model(), "features": ["low"]},
        {"model": model(), "features": ["low", "low"]},
        {"model": model(), "features": "low, high"},
        {"model": model(), "features": [0, 1]},
        {"model": on_names(), "features": ["high", "low"]},
        {
            "model": make_pipeline(
                make_column_transformer((StandardScaler(), [0])), LinearRegression()
            ).fit(X, y),
            "features": ["low", "high"],
        },
        {"model": LinearRegression, "features": ["low", "high"]},
        {"weights": [1.0]},
        [model()],
    ],
)
def test_a_dict_whose_answers_may_need_more_than_the_model_stays_one(content: Any):
    """A threshold, labels, a second step, and names that do not fit or are in another order."""
    assert model_in_dict(content) is content


def test_a_dict_is_packaged_and_served_as_its_model(tmp_path: Path):
    """The names in the dict order the columns, whatever their order in the sample or a request."""
    joblib.dump({"model": model(), "features": ["low", "high"]}, tmp_path / "model.joblib")
    lines: list[str] = []
    package(tmp_path / "model.joblib", FRAME[["high", "low"]], tmp_path / "out", say=lines.append)
    assert "  note: the file is a dict, of which its Pipeline is served" in lines
    body = b'{"input_data": {"columns": ["high", "low"], "data": [[2.0, 1.0]]}}'
    for path in (tmp_path / "out", tmp_path / "model.joblib"):
        served = load(Settings(scoring_model_path=path))
        assert served.predict(validate(body, served.contract, Limits())) == pytest.approx([21.0])
