"""Packaging measures the contract: types, missing values, and the container of the rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

import support
from azureml_scoring.errors import ClientError, StartupError
from azureml_scoring.models.files.manifest import Manifest
from azureml_scoring.models.golden_check import batch_of
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings


def served(folder: Path) -> Model:
    return load(Settings(scoring_model_path=folder, scoring_require_manifest=True))


def test_missing_values_are_measured_feature_by_feature(tmp_path: Path):
    """An imputed column takes null, a scaled one does not."""
    estimator, frame = support.mixed()
    contract = Manifest.read(support.packaged(estimator, frame, tmp_path)).contract
    assert {f.name: f.missing for f in contract.features} == {
        "income": True, "city": False, "member": False, "visits": False,
    }  # fmt: skip


def test_a_model_of_nothing_but_numbers_is_spared_the_frame(tmp_path: Path):
    """It gets an array if the answers are the same; one that selects by name keeps its frame."""
    X, y = support.diabetes()
    plain = support.packaged(support.demo_estimator(), X, tmp_path / "plain")
    by_name = make_pipeline(
        make_column_transformer((StandardScaler(), ["age", "bmi"])), LinearRegression()
    ).fit(X, y)
    picky = support.packaged(by_name, X, tmp_path / "picky")
    assert [Manifest.read(folder).contract.container for folder in (plain, picky)] == [
        "array",
        "frame",
    ]


def test_an_unknown_category_is_the_clients_mistake(tmp_path: Path):
    """The message names the column, and not the value."""
    estimator, frame = support.mixed()
    model = served(support.packaged(estimator, frame, tmp_path))
    with pytest.raises(ClientError) as caught:
        model.predict(batch_of([[50.0, "Atlantis", True, 3]], model.contract))
    assert caught.value.message.startswith("Feature city must be one of the 3 values of the fit")
    assert "Atlantis" not in caught.value.message


def test_the_contract_has_the_samples_types(tmp_path: Path):
    """It has numbers, whole numbers, texts and booleans."""
    estimator, frame = support.mixed()
    contract = Manifest.read(support.packaged(estimator, frame, tmp_path)).contract
    assert [f.dtype for f in contract.features] == ["float64", "str", "bool", "float64"]


def codes() -> tuple[object, pd.DataFrame]:
    """A model that reads whole numbers as texts, so that 1.0 is not 1 to it."""
    frame = pd.DataFrame({"code": [1, 2, 3] * 10})
    as_text = FunctionTransformer(pd.DataFrame.astype, kw_args={"dtype": str})
    model = make_pipeline(as_text, OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    return model.fit(frame, frame["code"] > 1), frame


def test_whole_numbers_stay_whole_where_the_model_tells_them_from_others(tmp_path: Path):
    """Elsewhere a column that happened to hold whole numbers takes 45.5 too."""
    estimator, frame = codes()
    model = served(support.packaged(estimator, frame, tmp_path))
    assert model.contract.features[0].dtype == "int64"
    assert model.predict(batch_of([[1], [2]], model.contract)) == [False, True]


def test_a_single_row_is_answered_like_one_among_others(tmp_path: Path):
    """This holds even if its only text is missing."""
    frame = pd.DataFrame({"n": [0.1, 0.2, 0.9, 0.8] * 5, "opt": ["u", None, "v", None] * 5})
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["opt"]), remainder="passthrough"
    )
    estimator = make_pipeline(columns, LogisticRegression()).fit(frame, [0, 0, 1, 1] * 5)
    model = served(support.packaged(estimator, frame, tmp_path))
    assert model.predict(batch_of([[0.1, None]], model.contract)) == [0]
    assert model.predict(batch_of([[0.1, None], [0.9, "v"]], model.contract)) == [0, 1]


def test_a_model_that_json_would_change_is_not_packaged(tmp_path: Path):
    """A model may be fitted on None or NaN, but not on both: a request can't hold both."""
    encoded = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression(C=99))
    frame = pd.DataFrame({"opt": pd.Series(["u", None, np.nan, "v", "u"] * 4, dtype=object)})
    with pytest.raises(StartupError, match="otherwise when it comes as JSON"):
        support.packaged(encoded.fit(frame, [0, 1, 0, 1, 0] * 4), frame, tmp_path / "both")
    frame = pd.DataFrame({"opt": pd.Series(["u", None, "u", "v", "u"] * 4, dtype=object)})
    model = served(
        support.packaged(encoded.fit(frame, [0, 1, 0, 0, 0] * 4), frame, tmp_path / "none")
    )
    assert model.predict(batch_of([["u"], [None], ["v"]], model.contract)) == [0, 1, 0]
