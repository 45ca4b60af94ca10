import itertools
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import support
from contract import Contract
from estimator import Predictor, contract_of
from mlops.convert import convert
from mlops.parity import TOLERANCE, NotProven, Parity, rows_of_all_kinds
from numpy_graph import NumpyGraph
from onnx_model import OnnxPredictor, open_session
from validation import Batch

FRAME, LABELS = support.diabetes()
X, y = FRAME.to_numpy(), LABELS.to_numpy()
WORDS = np.where(y == 1, "yes", "no")
THREE = np.digitize(X[:, 2], [24, 28])

REGRESSION = X[:, 3]

PROVEN: dict[str, tuple[Any, np.ndarray]] = {
    "linear": (LinearRegression(), REGRESSION),
    "logistic": (make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)), y),
    "logistic, three classes": (make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)), THREE),
    "logistic, words": (make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)), WORDS),
    "forest": (RandomForestClassifier(50, random_state=0), y),
    "forest behind a scaler": (make_pipeline(StandardScaler(), RandomForestClassifier(30, random_state=0)), y),
    "forest regressor": (RandomForestRegressor(20, random_state=0), REGRESSION),
    "extra trees": (ExtraTreesClassifier(20, random_state=0), y),
    "boosting": (GradientBoostingClassifier(n_estimators=20, random_state=0), y),
    "boosting regressor": (GradientBoostingRegressor(n_estimators=20, random_state=0), REGRESSION),
    "tree": (DecisionTreeClassifier(random_state=0), y),
    "tree regressor": (DecisionTreeRegressor(random_state=0), REGRESSION),
    "imputer": (make_pipeline(SimpleImputer(), StandardScaler(), Ridge()), REGRESSION),
    "support vectors": (make_pipeline(StandardScaler(), SVC()), y),
    "neighbours": (KNeighborsClassifier(), y),
    "network": (make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=50, random_state=0)), y),
    "naive Bayes": (GaussianNB(), y),
    "components": (PCA(3), y),
    "several targets": (MultiOutputClassifier(LogisticRegression(max_iter=5000)), np.c_[y, 1 - y]),
    "clusters": (KMeans(3, n_init=1, random_state=0), y),
}

BY_NUMPY = {"linear", "logistic", "logistic, three classes", "logistic, words", "network", "components"}
"""Those of few dense operations."""


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", PROVEN)
def test_compiled_it_answers_as_scikit_learn_does(name: str):
    """On rows that the proof has not seen, within the tolerance, labels exactly."""
    unfitted, target = PROVEN[name]
    estimator = unfitted.fit(X, target)
    contract = contract_of(estimator)
    model, graph = convert(estimator, contract, X)
    assert model.parity["rows"] > 1_000
    direct = Predictor(estimator, contract)
    assert model.numpy == (name in BY_NUMPY)
    sessions = [open_session(graph), *([NumpyGraph.of(graph)] if model.numpy else [])]
    rows = np.random.default_rng(7).normal(X.mean(axis=0), 2 * X.std(axis=0), (300, X.shape[1]))
    for method, session in itertools.product(model.outputs, sessions):
        compiled = OnnxPredictor(model, session, direct)
        answers, expected = compiled(Batch(rows, method)), direct(Batch(rows, method))
        if np.asarray(expected).dtype.kind == "f":
            np.testing.assert_allclose(answers, expected, rtol=TOLERANCE, atol=TOLERANCE)
        else:
            assert answers == expected


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (HistGradientBoostingClassifier(max_iter=10).fit(X, y), "at the splits of its trees"),
        (support.mixed()[0], "texts"),
    ],
    ids=["histogram boosting", "texts"],
)
def test_what_is_not_proven_is_not_compiled_and_says_why(estimator: Any, reason: str):
    """Its trees compare float64, which ONNX' trees don't; or there is no graph of it at all."""
    contract = contract_of(estimator)
    with pytest.raises(NotProven, match=reason):
        convert(estimator, contract, X[:, : len(contract.features)])


def test_a_graph_that_answers_otherwise_is_found():
    """Be it in one row of a hundred, in the last bit beside a split."""
    estimator = DecisionTreeClassifier(max_depth=1, random_state=0).fit(X, y)
    contract = Contract(contract_of(estimator).features, ("predict",))
    direct = Predictor(estimator, contract)
    tree = estimator.tree_
    split = (int(tree.feature[0]), float(tree.threshold[0]))

    def slightly_wrong(batch: Batch) -> list[Any]:
        moved = batch.X.copy()
        moved[moved[:, split[0]] == split[1], split[0]] -= 1e-3
        return direct(Batch(moved, batch.method))

    *others, at_splits = rows_of_all_kinds(X, [split])
    for kind in others:
        Parity(slightly_wrong, direct, contract, ["predict"]).check(*kind)
    Parity(direct, direct, contract, ["predict"]).check(*at_splits)
    with pytest.raises(NotProven, match="at the splits"):
        Parity(slightly_wrong, direct, contract, ["predict"]).check(*at_splits)
