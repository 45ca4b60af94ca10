"""The contract of an unpackaged model says what its fit shows, and leaves the rest open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boosters
import numpy as np
import orjson
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import BaggingClassifier, VotingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

import support
from azureml_scoring.errors import ClientError
from azureml_scoring.models import golden_check
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from validation import validate


def served(estimator: Any, folder: Path) -> Model:
    return load(Settings(scoring_model_path=support.dump(estimator, folder)))


def dtypes(loaded: Model) -> list[str]:
    return [feature.dtype for feature in loaded.contract.features]


def refused(loaded: Model, *row: object) -> str:
    """The code of the error and the place, for one row by position."""
    with pytest.raises(ClientError) as caught:
        validate(orjson.dumps({"data": [row]}), loaded.contract, golden_check.NO_LIMITS)
    return f"{caught.value.code} {caught.value.location}"


def test_each_column_takes_what_it_was_fitted_on(tmp_path: Path):
    """Texts, booleans and numbers; a column that only passes through takes any."""
    estimator, frame = support.codes()
    loaded = served(estimator, tmp_path / "codes")
    assert dtypes(loaded) == ["str", "str", "str", "str", "any", "bool"]
    rows = frame.head(8).astype(object).where(frame.head(8).notna(), None).to_numpy().tolist()
    assert (
        loaded.predict(golden_check.batch_of(rows, loaded.contract))
        == estimator.predict(frame.head(8)).tolist()
    )
    assert dtypes(served(support.mixed()[0], tmp_path / "mixed")) == [
        "float64",
        "str",
        "any",
        "any",
    ]


def test_digits_for_a_column_of_texts_are_refused(tmp_path: Path):
    """An encoder that ignores what it does not know would answer them, and wrongly."""
    loaded = served(support.codes()[0], tmp_path)
    assert refused(loaded, 1067, "EU", "1", "yes", 50.0, True) == "wrong_type /data/0/0"
    assert refused(loaded, "01067", "EU", 1, "yes", 50.0, True) == "wrong_type /data/0/2"
    assert refused(loaded, "01067", "EU", "1", True, 50.0, True) == "wrong_type /data/0/3"
    assert refused(loaded, "01067", "EU", "1", "yes", 50.0, "True") == "wrong_type /data/0/5"


def test_text_for_a_column_of_numbers_is_refused(tmp_path: Path):
    """Codes that an encoder knows are numbers too."""
    frame = pd.DataFrame(
        {"plan": ["basic", "gold"] * 10, "code": [7, 8] * 10, "size": [1.0, np.nan] * 10}
    )
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["plan", "code"]), (SimpleImputer(), ["size"])
    )
    estimator = make_pipeline(columns, LogisticRegression()).fit(frame, [0, 1] * 10)
    loaded = served(estimator, tmp_path)
    assert refused(loaded, "basic", "7", 1.0) == "wrong_type /data/0/1"
    assert refused(loaded, "basic", 7, "1.0") == "wrong_type /data/0/2"
    assert loaded.predict(
        golden_check.batch_of([["basic", 7, None], ["gold", 8, 1]], loaded.contract)
    ) == [0, 1]


def test_null_is_left_to_the_model(tmp_path: Path):
    """Its imputer may take it, or its encoder; nobody knows before."""
    frame = pd.DataFrame({"plan": ["basic", "gold", np.nan, "gold"] * 5, "b": ["x", "y"] * 10})
    columns = make_column_transformer(
        (
            make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), OneHotEncoder()),
            ["plan"],
        ),
        (OneHotEncoder(), ["b"]),
    )
    estimator = make_pipeline(columns, LogisticRegression()).fit(frame, [0, 1, 1, 0] * 5)
    loaded = served(estimator, tmp_path)
    assert dtypes(loaded) == ["str", "str"]
    assert (
        loaded.predict(golden_check.batch_of([[None, "x"]], loaded.contract))
        == estimator.predict(frame.iloc[[2]]).tolist()
    )
    with pytest.raises(ClientError) as caught:
        loaded.predict(golden_check.batch_of([["gold", None]], loaded.contract))
    assert caught.value.code == "model_refused_input"


def bands(frame: pd.DataFrame) -> pd.DataFrame:
    """Return texts of numbers."""
    return pd.DataFrame(
        {"band": np.where(np.asarray(frame)[:, 0].astype(float) > 2, "high", "low")}
    )


class Bands(TransformerMixin, BaseEstimator):
    def fit(self, X: Any, y: object = None) -> Bands:
        self.n_features_in_ = 1
        return self

    def transform(self, X: Any) -> pd.DataFrame:
        return bands(X)


@pytest.mark.parametrize(
    "step", [FunctionTransformer(bands), Bands()], ids=lambda step: type(step).__name__
)
def test_what_stands_behind_a_step_of_ones_own_is_no_promise(step: Any, tmp_path: Path):
    """The encoder knows texts that the step made of numbers: numbers are taken all the same."""
    frame = pd.DataFrame({"size": [1.0, 2.0, 3.0, 4.0] * 5})
    estimator = make_pipeline(step, OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    loaded = served(estimator.fit(frame, frame["size"] > 2), tmp_path)
    assert dtypes(loaded) == ["any"]
    assert loaded.predict(golden_check.batch_of([[1.0], [4]], loaded.contract)) == [False, True]


class Lengths(OneHotEncoder):
    """Encodes the length of a text, so its categories are none of its column."""

    def fit(self, X: Any, y: object = None) -> Lengths:
        return super().fit(self._lengths(X))

    def transform(self, X: Any) -> Any:
        return super().transform(self._lengths(X))

    @staticmethod
    def _lengths(X: Any) -> Any:
        return np.array([[len(str(value)) for value in row] for row in np.asarray(X, dtype=object)])


def test_an_encoder_of_ones_own_promises_nothing(tmp_path: Path):
    """Its transform may make other values of the column before it looks them up."""
    frame = pd.DataFrame({"word": ["a", "abc"] * 10, "b": ["x", "y"] * 10})
    columns = make_column_transformer((Lengths(), ["word"]), (OneHotEncoder(), ["b"]))
    estimator = make_pipeline(columns, LogisticRegression()).fit(frame, [0, 1] * 10)
    loaded = served(estimator, tmp_path)
    assert dtypes(loaded) == ["any", "str"]
    assert loaded.predict(golden_check.batch_of([["z", "x"], ["xyz", "y"]], loaded.contract)) == [
        0,
        1,
    ]


def test_columns_that_a_bag_has_shuffled_are_told_by_their_place(tmp_path: Path):
    """Each of its estimators meets other columns, in another order."""
    X = np.array([["a", "b"] * 10, [7, 8] * 10, ["x", "y"] * 10], dtype=object).T
    inner = make_pipeline(OrdinalEncoder(), LogisticRegression())
    bag = BaggingClassifier(inner, 9, bootstrap_features=True, random_state=0).fit(X, [0, 1] * 10)
    assert dtypes(served(bag, tmp_path)) == ["str", "float64", "str"]


def test_a_column_transformer_of_numbers_takes_numbers(tmp_path: Path):
    """It takes missing values if one of its steps does, which only a request shows."""
    frame = pd.DataFrame({"a": [1.0, np.nan] * 10, "b": [1, 2] * 10})
    columns = make_column_transformer((SimpleImputer(), ["a"]), (StandardScaler(), ["b"]))
    estimator = make_pipeline(columns, LinearRegression()).fit(frame, [0, 1] * 10)
    loaded = served(estimator, tmp_path)
    assert dtypes(loaded) == ["float64", "float64"]
    assert refused(loaded, 1.0, "2") == "wrong_type /data/0/1"
    assert loaded.predict(golden_check.batch_of([[None, 2]], loaded.contract)) == pytest.approx(
        [1.0]
    )


def test_categories_of_a_booster_are_known_wherever_it_is(tmp_path: Path):
    """A voting ensemble passes its DataFrame on, so they are known there too."""
    vote = VotingRegressor([("one", boosters.XgboostEstimator())])
    vote.estimators_, vote.feature_names_in_ = [boosters.XgboostEstimator()], ["size", "colour"]
    loaded = served(vote, tmp_path)
    assert [(f.dtype, f.categories) for f in loaded.contract.features] == [
        ("float64", ()), ("category", ("blue", "red")),
    ]  # fmt: skip
    assert loaded.predict(golden_check.batch_of([[1.5, "red"]], loaded.contract)) == [4.5]


class Endless:
    """Has every attribute, whose value has every attribute again."""

    n_features_in_ = 2
    feature_names_in_ = ("a", "b")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name.endswith(("features_in_", "names_in_")):
            raise AttributeError(name)
        return Endless()

    def __call__(self, *_: object) -> Any:
        return Endless()

    def predict(self, X: Any) -> Any:
        return np.asarray(X)[:, 0]


def test_an_estimator_that_has_no_end_is_walked_no_further_than_needed():
    """An estimator that holds itself does not hang either."""
    from azureml_scoring.models.estimators.fitted_columns import fitted_columns

    assert [feature.dtype for feature in fitted_columns(Endless(), 2)] == ["any", "any"]
    circle = VotingRegressor([])
    circle.estimators_ = [circle, OneHotEncoder().fit([["a", 1.5]]), circle]
    assert [feature.dtype for feature in fitted_columns(circle, 2)] == ["str", "number"]
