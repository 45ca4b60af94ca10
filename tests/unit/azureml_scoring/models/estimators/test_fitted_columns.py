from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

import support
from azureml_scoring.models.estimators.fitted_columns import object_columns
from mlops.read_as import fitted_types

FRAME = pd.DataFrame(
    {
        "code": ["1", "2", "NA", "4"] * 10,
        "flag": np.array([True, False, np.nan, True] * 10, dtype=object),
        "yes": ["yes", "True", "no", "1"] * 10,
        "branch": [3, 5, 9, 3] * 10,
        "size": [1.0, 2.0, np.nan, 4.0] * 10,
        "note": ["good day", "bad day", "good night", "bad night"] * 10,
        "free": ["x", "y", "z", "x"] * 10,
    }
)
TARGET = [0, 1, 1, 0] * 10
KINDS = {
    "code": "str",
    "flag": "bool",
    "yes": "str",
    "branch": "number",
    "size": "number",
    "note": "str",
}


def pipeline() -> BaseEstimator:
    columns = make_column_transformer(
        (OneHotEncoder(), ["yes", "flag"]),
        (make_pipeline(SimpleImputer(strategy="most_frequent"), OrdinalEncoder()), ["code"]),
        (TargetEncoder(), ["branch"]),
        (make_pipeline(SimpleImputer(), StandardScaler()), slice(4, 5)),
        (TfidfVectorizer(), "note"),
    )
    return make_pipeline(columns, LogisticRegression(max_iter=1000))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner: inner,
        lambda inner: GridSearchCV(inner, {}, cv=2),
        lambda inner: CalibratedClassifierCV(inner, cv=2),
        lambda inner: CalibratedClassifierCV(FrozenEstimator(inner.fit(FRAME, TARGET))),
        lambda inner: VotingClassifier([("one", inner), ("two", clone(inner))]),
        lambda inner: StackingClassifier([("one", inner), ("two", clone(inner))], cv=2),
    ],
    ids=["plain", "search", "calibrated", "frozen", "vote", "stack"],
)
def test_the_parts_of_a_pipeline_tell_what_each_column_held(wrap: object):
    """Encoders, imputers, vectorizers and number-only steps say it, however deep they are."""
    found = fitted_types(wrap(pipeline()).fit(FRAME, TARGET), ["target", *FRAME.columns])
    assert {name: feature.dtype for name, feature in found.items()} == KINDS
    assert found["code"].categories == ("1", "2", "4", "NA")


@pytest.mark.parametrize("named", [True, False])
def test_encoders_that_were_fitted_on_an_array_tell_by_place(named: bool):
    """The sample's names are then those of the places."""
    data = FRAME[["code", "yes"]]
    union = make_union(OneHotEncoder(), OrdinalEncoder()).fit(data if named else data.to_numpy())
    assert {k: f.dtype for k, f in fitted_types(union, ["a", "b"]).items()} == (
        {"code": "str", "yes": "str"} if named else {"a": "str", "b": "str"}
    )
    if not named:
        assert fitted_types(union, ["a", "b", "target"]) == {}


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestClassifier(2),
        GradientBoostingClassifier(n_estimators=2),
        HistGradientBoostingClassifier(max_iter=2),
    ],
    ids=lambda e: type(e).__name__,
)
def test_what_only_takes_numbers_was_fitted_on_numbers(estimator: BaseEstimator):
    """NA in such a column is a missing value, and leading zeros do not make a code."""
    X, y = support.diabetes()
    assert {f.dtype for f in fitted_types(estimator.fit(X, y), list(X.columns)).values()} == {
        "number"
    }


def test_pandas_categories_are_known_of_histogram_gradient_boosting():
    """Their values are known too, which a CSV does not list."""
    estimator, frame = support.categories()
    found = fitted_types(estimator, list(frame.columns))
    assert (found["size"].dtype, found["colour"].dtype, found["colour"].categories) == (
        "number", "category", ("blue", "red"),
    )  # fmt: skip


def test_xgboost_tells_categories_from_numbers():
    """The types of its features say it."""
    booster = SimpleNamespace(
        feature_types=["c", "int", "float"], feature_names=None, save_raw=lambda form: b"{}"
    )
    model = SimpleNamespace(feature_names_in_=["a", "b", "c"], get_booster=lambda: booster)
    found = fitted_types(model, ["a", "b", "c"])
    assert [found[name].dtype for name in "abc"] == ["category", "number", "number"]


@pytest.mark.parametrize("unit", ["ns", "us", "s"])
@pytest.mark.parametrize("zone", [None, "Europe/Paris"])
def test_datetimes_of_the_fit_are_known_as_such(unit: str, zone: str | None):
    """Whatever their unit; with a time zone they are nothing that a request can hold."""
    days = (
        pd.Series(pd.to_datetime(["2024-01-01", "2024-01-02", None] * 10))
        .dt.as_unit(unit)
        .dt.tz_localize(zone)
    )
    told = fitted_types(
        OneHotEncoder(handle_unknown="ignore").fit(pd.DataFrame({"day": days})), ["day"]
    )
    assert {name: feature.dtype for name, feature in told.items()} == (
        {} if zone else {"day": "datetime"}
    )


class Own(TransformerMixin, ClassifierMixin, BaseEstimator):
    """Inherits scikit-learn's tags, and takes texts all the same."""

    def fit(self, X: pd.DataFrame, y: object = None) -> Own:
        self.feature_names_in_ = list(X.columns)
        self.categories_ = 7
        return self


def test_an_estimator_of_ones_own_tells_nothing():
    """Whatever its attributes are called: the cells decide then."""
    assert fitted_types(Own().fit(FRAME), list(FRAME.columns)) == {}


def test_an_imputer_of_none_gets_none():
    """It does not find NaN, and an encoder behind it would refuse that."""
    city = np.array(["Rome", None, "Oslo"], dtype=object)  # pandas alone would make NaN of None
    frame = pd.DataFrame({"size": [1.0, 2.0, 3.0]}).assign(city=pd.Series(city, dtype=object))
    imputer = SimpleImputer(missing_values=None, strategy="most_frequent")
    columns = make_column_transformer((make_pipeline(imputer, OneHotEncoder()), ["city"]))
    assert object_columns(columns.fit(frame), 2) == {1: None}
