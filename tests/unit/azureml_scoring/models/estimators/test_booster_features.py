"""LightGBM, XGBoost and CatBoost models are served as far as they know their columns."""

from pathlib import Path
from typing import Any

import boosters
import orjson
import pandas as pd
import pytest
from sklearn.ensemble import VotingRegressor

import support
from azureml_scoring.errors import StartupError
from azureml_scoring.models import golden_check
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from mlflow_folder import mlflow


def from_(path: Path) -> Model:
    return load(Settings(scoring_model_path=path))


@pytest.mark.parametrize(
    ("estimator", "dtypes", "names"),
    [
        (boosters.LightgbmBooster(), ["float64", "category"], ("size", "colour")),
        (
            boosters.LightgbmEstimator(boosters.LightgbmBooster()),
            ["float64", "category"],
            ("size", "colour"),
        ),
        (boosters.LightgbmBooster(["Column_0", "Column_1"], {}), ["float64", "float64"], None),
        (boosters.LightgbmBooster(["3", "5"], {}), ["float64", "float64"], ("3", "5")),
        (boosters.XgboostEstimator(), ["float64", "category"], ("size", "colour")),
        (boosters.CatboostEstimator(), ["float64", "any"], ("size", "colour")),
        (boosters.CatboostEstimator(["0", "1"], []), ["float64", "float64"], None),
    ],
)
def test_a_booster_that_is_not_packaged_is_served_as_far_as_it_tells(
    estimator: object, dtypes: list[str], names: object, tmp_path: Path
):
    """Its names, its categories, and the number of its features."""
    loaded = from_(support.dump(estimator, tmp_path))
    assert ([f.dtype for f in loaded.contract.features], loaded.contract.names) == (dtypes, names)
    texts = "float64" not in dtypes[1]
    row = [1.5, "red"] if texts else [1.5, 2.0]
    assert loaded.predict(golden_check.batch_of([row], loaded.contract)) == [4.5 if texts else 1.5]


@pytest.mark.parametrize("in_a_vote", [False, True])
def test_a_signature_does_not_make_texts_of_a_boosters_categories(in_a_vote: bool, tmp_path: Path):
    """MLflow has no type for them."""
    estimator: Any = boosters.LightgbmEstimator(boosters.LightgbmBooster())
    if in_a_vote:
        vote = VotingRegressor([("one", estimator)])
        vote.estimators_, vote.feature_names_in_, estimator = [estimator], ["size", "colour"], vote
    support.dump(estimator, tmp_path)
    inputs: list[dict[str, object]] = [
        {"type": "double", "name": "size"},
        {"type": "string", "name": "colour"},
    ]
    loaded = from_(mlflow(tmp_path, inputs))
    assert [(f.dtype, f.missing) for f in loaded.contract.features] == [
        ("float64", False),
        ("category", True),
    ]
    assert loaded.predict(golden_check.batch_of([[1.5, "red"]], loaded.contract)) == [4.5]


@pytest.mark.slow
def test_a_booster_that_lacks_its_categories_must_be_packaged(tmp_path: Path):
    """Guessing them would be a wrong answer; packaging has them from the sample."""
    sample = pd.DataFrame({"size": [1.0, 2.0] * 5, "colour": pd.Categorical(["blue", "red"] * 5)})
    for place, estimator in enumerate(
        [
            boosters.XgboostEstimator(cats=False),
            boosters.LightgbmBooster(params={"categorical_column": [0, 1]}),
        ]
    ):
        assert from_(support.packaged(estimator, sample, tmp_path / f"p{place}")).golden_rows
        with pytest.raises(
            StartupError,
            match=r"categor.*package it with `mlops package MODEL --sample DATA --out DIR`",
        ):
            from_(support.dump(estimator, tmp_path / str(place)))


def test_whole_numbers_as_names_are_names(tmp_path: Path):
    """A model fitted on columns 3 and 5 takes them in any order, as numbers or as texts."""
    loaded = from_(support.dump(boosters.LightgbmBooster(["3", "5"], {}), tmp_path))
    for columns in ([5, 3], ["5", "3"]):
        body = orjson.dumps({"input_data": {"columns": columns, "data": [[50.0, 30.0]]}})
        assert loaded.predict(
            golden_check.validate(body, loaded.contract, golden_check.NO_LIMITS)
        ) == [30.0]
