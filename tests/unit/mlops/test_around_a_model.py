"""Models in which other models, or trees with gaps, are converted by equivalents and by converters
of our own."""

from typing import Any

import imblearn.pipeline
import numpy as np
import pytest
from imblearn.under_sampling import RandomUnderSampler
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import Birch, MeanShift
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.covariance import EllipticEnvelope
from sklearn.decomposition import FactorAnalysis, FastICA
from sklearn.ensemble import (
    GradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.feature_selection import RFE
from sklearn.frozen import FrozenEstimator
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import (
    FixedThresholdClassifier,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multioutput import ClassifierChain, RegressorChain
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeRegressor

import support
from azureml_scoring.models.estimators.estimator_contract import contract_of
from converted_models import compared, converted
from examples import few_of
from mlops.convert import convert
from mlops.parity import NotProven

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

FRAME, LABELS = support.diabetes()
X, y = FRAME.to_numpy()[:, :6], LABELS.to_numpy()
GAPS = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)
AMOUNT = X[:, 3]
WORDS = np.where(y == 1, "yes", "no")
BOTH = np.c_[y, X[:, 1] > 1].astype(int)
AMOUNTS = X[:, 2:4]
LOGISTIC = make_pipeline(StandardScaler(), LogisticRegression())
FOREST = RandomForestClassifier(10, random_state=0)
NUMBER = RandomForestRegressor(10, random_state=0)


class Renamed(RandomForestClassifier):
    """A subclass that predicts as its base does."""


class Undecided(RandomForestClassifier):
    """A subclass that predicts otherwise."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.zeros(len(X), dtype=int)


AROUND: dict[str, tuple[Any, np.ndarray, np.ndarray | None]] = {
    "a threshold that was tuned": (TunedThresholdClassifierCV(LOGISTIC), X, y),
    "a threshold of a forest": (FixedThresholdClassifier(FOREST, threshold=0.3), X, y),
    "a threshold between booleans": (FixedThresholdClassifier(LOGISTIC, threshold=0.3), X, y == 1),
    "a threshold for the first class": (
        FixedThresholdClassifier(LOGISTIC, threshold=0.3, pos_label="no"),
        X,
        WORDS,
    ),
    "a threshold of a score": (FixedThresholdClassifier(LinearSVC(), threshold=0.1), X, y),
    "a chain of classifiers": (ClassifierChain(LOGISTIC, order=[1, 0]), X, BOTH),
    "a chain of probabilities": (ClassifierChain(FOREST, chain_method="predict_proba"), X, BOTH),
    "a chain of regressors": (RegressorChain(Ridge(), order=[1, 0]), X, AMOUNTS),
    "a logarithmic target": (
        TransformedTargetRegressor(NUMBER, func=np.log1p, inverse_func=np.expm1),
        X,
        AMOUNT,
    ),
    "a scaled target": (
        TransformedTargetRegressor(Ridge(), transformer=StandardScaler()),
        X,
        AMOUNT,
    ),
    "logarithms": (make_pipeline(FunctionTransformer(np.log1p), Ridge()), X, AMOUNT),
    "a frozen model": (FrozenEstimator(LogisticRegression(max_iter=2000).fit(X, y)), X, y),
    "a frozen model, calibrated": (
        CalibratedClassifierCV(FrozenEstimator(FOREST.fit(X, WORDS))),
        X,
        WORDS,
    ),
    "a random search": (
        RandomizedSearchCV(LOGISTIC, {"logisticregression__C": [1]}, n_iter=1),
        X,
        y,
    ),
    "an elimination": (RFE(LogisticRegression(max_iter=2000), n_features_to_select=3), X, y),
    "votes": (VotingClassifier([("a", LOGISTIC), ("b", FOREST)], voting="soft"), X, WORDS),
    "votes of labels": (VotingClassifier([("a", LOGISTIC), ("b", FOREST)]), X, WORDS),
    "a linear machine": (LinearSVC(), X, WORDS),
    "a ridge classifier": (RidgeClassifier(), X, np.digitize(X[:, 2], [24, 28])),
    "bins": (make_pipeline(KBinsDiscretizer(4), Ridge()), X, AMOUNT),
    "columns by place": (
        make_pipeline(make_column_transformer((StandardScaler(), slice(1, 3))), Ridge()),
        X,
        AMOUNT,
    ),
    "factors": (FactorAnalysis(2), X, None),
    "independent components": (FastICA(2, random_state=0), X, None),
    "shifted means": (MeanShift(), X, None),
    "a tree of clusters": (Birch(threshold=20.0), X, None),
    "isolation": (IsolationForest(n_estimators=20, random_state=0), X, None),
    "isolation of some columns": (
        IsolationForest(n_estimators=20, max_features=0.5, contamination=0.1, random_state=0),
        X,
        None,
    ),
    "an envelope": (EllipticEnvelope(random_state=0), X, None),
    "a quantile": (GradientBoostingRegressor(loss="quantile", n_estimators=5), X, AMOUNT),
    "a subclass": (Renamed(10, random_state=0), X, WORDS),
    "a tree with gaps": (DecisionTreeRegressor(random_state=0), GAPS, AMOUNT),
    "a forest with gaps": (FOREST, GAPS, WORDS),
    "a forest of numbers with gaps": (NUMBER, GAPS, AMOUNT),
    "isolation with gaps": (IsolationForest(n_estimators=20, random_state=0), GAPS, None),
    "gaps as numbers": (
        make_pipeline(make_union(SimpleImputer(), MissingIndicator(features="all")), Ridge()),
        GAPS,
        AMOUNT,
    ),
}

KEPT = (
    "a threshold of a forest",
    "a chain of classifiers",
    "a logarithmic target",
    "a frozen model, calibrated",
    "votes",
    "bins",
    "a tree of clusters",
    "isolation of some columns",
    "a quantile",
    "a subclass",
    "a forest with gaps",
    "gaps as numbers",
)
"""Those of `make test`: one of each kind."""

WITH_GAPS = {name for name, (_, rows, _) in AROUND.items() if rows is GAPS}


@pytest.mark.parametrize("name", few_of(AROUND, KEPT))
def test_it_is_compiled_and_answers_as_scikit_learn_does(name: str):
    """New rows get equal labels, and numbers within the tolerance; with gaps where the fit had."""
    unfitted, rows, target = AROUND[name]
    estimator = unfitted.fit(rows, target)
    model = compared(estimator, rows)
    assert model.missing >= (name in WITH_GAPS)


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (KernelDensity(), "there is no ONNX converter for KernelDensity"),
        (Undecided(10), "there is no ONNX converter for Undecided"),
        (
            make_pipeline(FunctionTransformer(np.cbrt), Ridge()),
            "there is no ONNX converter for the function cbrt",
        ),
        (
            FixedThresholdClassifier(LOGISTIC, threshold=0, response_method="decision_function"),
            "no ONNX converter for a threshold of the decision function",
        ),
    ],
    ids=["a class", "a subclass", "a function", "a form"],
)
def test_what_has_no_converter_is_named(estimator: Any, reason: str):
    """The class, the function or the form, not an exception of the converter's."""
    estimator.fit(X, y)
    with pytest.raises(NotProven, match=reason):
        convert(estimator, contract_of(estimator), X, converted(estimator, X.shape[1]))


def test_imbalanced_learns_pipelines_predict_without_their_samplers():
    """They only work in a fit."""
    sampler = RandomUnderSampler(random_state=0)
    estimator = imblearn.pipeline.make_pipeline(StandardScaler(), sampler, LogisticRegression())
    estimator.fit(X, y)
    model, _ = convert(estimator, contract_of(estimator), X, converted(estimator, X.shape[1]))
    assert {"predict", "predict_proba"} <= model.outputs.keys()
    assert model.numpy
