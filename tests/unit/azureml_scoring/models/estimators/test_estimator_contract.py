"""The contract of a model that has neither a manifest nor a signature."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import support
from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.estimators.estimator_contract import contract_of
from azureml_scoring.models.estimators.predictor import Predictor


def fitted(estimator: object, *, named: bool = False) -> object:
    X, y = support.diabetes()
    return estimator.fit(X if named else X.to_numpy(), y)


@pytest.mark.parametrize(
    ("estimator", "methods"),
    [
        (LinearRegression(), ("predict",)),
        (KMeans(2), ("predict", "transform")),
        (PCA(2), ("score_samples", "transform")),
        (
            make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
            ("predict", "predict_proba", "predict_log_proba", "decision_function"),
        ),
    ],
)
def test_a_contract_is_read_off_any_estimator(estimator: object, methods: tuple[str, ...]):
    """Without a manifest: the number of features, and the methods that it has."""
    contract = contract_of(fitted(estimator))
    assert (contract.methods, len(contract.features), contract.container) == (methods, 10, "array")
    assert not any(f.missing for f in contract.features)


def test_names_of_the_fit_are_in_the_contract():
    """A model that was fitted on a DataFrame is called with one, so scikit-learn does not warn."""
    contract = contract_of(fitted(LogisticRegression(max_iter=9999), named=True))
    assert (contract.names, contract.container) == (tuple(support.NAMES), "frame")


def test_missing_values_are_tried_out():
    """Tags describe only the first step: a scaler passes NaN to a regression that can't take it."""
    assert all(f.missing for f in contract_of(fitted(RandomForestClassifier(3))).features)
    scaled = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    assert not any(f.missing for f in contract_of(fitted(scaled)).features)


def test_columns_of_unknown_kind_take_any_scalar():
    """A column transformer doesn't say what the columns hold that it passes through."""
    model, frame = support.mixed()
    contract = contract_of(model)
    assert [f.dtype for f in contract.features] == ["float64", "str", "any", "any"]
    assert contract.names == tuple(frame.columns)
    row = np.array([[50.0, "Rome", True, 7]], dtype=object)
    assert Predictor(model, contract)(Batch(row, "predict")) == [True]


def test_a_text_model_takes_one_text_a_row():
    """A vectorizer wants a list, not a table."""
    model, _ = support.texts()
    contract = contract_of(model)
    assert contract.container == "list"
    rows = np.array([["good day"], ["bad night"]], dtype=object)
    assert Predictor(model, contract)(Batch(rows, "predict")) == [1, 0]


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        ({"weights": []}, "holds a dict of weights: list, and no estimator among them"),
        ({}, "holds a dict of nothing"),
        (np.zeros(3), "holds a ndarray, which has none of predict"),
        (None, "holds a NoneType, which has none of predict"),
        (LinearRegression, "holds the class LinearRegression and no fitted instance"),
        (LinearRegression(), r"The model \(LinearRegression\) is not fitted; call its fit\(\)"),
        (
            make_pipeline(StandardScaler(), LinearRegression()),
            r"The model \(Pipeline\) is not fitted",
        ),
        (
            (TfidfVectorizer(), LogisticRegression()),
            r"a tuple of TfidfVectorizer, LogisticRegression; .*"
            r"make_pipeline\(pieces\[0\], pieces\[1\]\)",
        ),
        (
            {"model": LinearRegression(), "features": ["a"], "version": 1},
            "holds a dict of model: LinearRegression, features: list, version: int; save its "
            "LinearRegression alone",
        ),
        ([1] * 9, r"holds a list of int, int, int, int, int, \.\.\., and no estimator"),
    ],
)
def test_what_is_no_model_is_named(thing: object, message: str):
    """The message says what a wrong file holds."""
    with pytest.raises(StartupError, match=message):
        contract_of(thing)


def test_a_model_that_hides_its_features_must_be_packaged():
    """The message says how."""

    class Hidden:
        def predict(self, X: np.ndarray) -> np.ndarray:
            return X

    class Stateless(Hidden, BaseEstimator):
        """Has nothing that shows that it is fitted, and needs nothing."""

    for hidden in (Hidden(), Stateless(), make_pipeline(Stateless())):
        with pytest.raises(StartupError, match=r"package it with `mlops package"):
            contract_of(hidden)


def test_a_method_that_can_not_be_looked_at_is_not_offered():
    """The others are."""

    class Half(BaseEstimator):
        n_features_in_ = 1

        @property
        def predict_proba(self) -> object:
            raise RuntimeError("no probabilities")

        def predict(self, X: np.ndarray) -> np.ndarray:
            return X[:, 0]

    assert contract_of(Half()).methods == ("predict",)
