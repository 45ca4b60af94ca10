import itertools
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    IsolationForest,
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
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import support
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.models.engines.numpy_graph import NumpyGraph
from azureml_scoring.models.engines.onnx_model import MIN_COMPARED_ANSWERS
from azureml_scoring.models.engines.onnx_predictor import OnnxPredictor
from azureml_scoring.models.engines.onnx_session import open_session
from azureml_scoring.models.estimators.estimator_contract import contract_of
from azureml_scoring.models.estimators.predictor import Predictor
from examples import few_of
from mlops import graph_proof
from mlops.convert import convert
from mlops.graphs import onnx_graphs
from mlops.parity import TOLERANCE, NotProven, Parity
from mlops.proof_rows import row_sets

FRAME, LABELS = support.diabetes()
X, y = FRAME.to_numpy(), LABELS.to_numpy()
WORDS = np.where(y == 1, "yes", "no")
THREE = np.digitize(X[:, 2], [24, 28])

REGRESSION = X[:, 3]

PROVEN: dict[str, tuple[Any, np.ndarray]] = {
    "linear": (LinearRegression(), REGRESSION),
    "logistic": (make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)), y),
    "logistic, three classes": (
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        THREE,
    ),
    "logistic, words": (make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)), WORDS),
    "logistic, booleans": (
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        y == 1,
    ),
    "forest": (RandomForestClassifier(50, random_state=0), y),
    "forest behind a scaler": (
        make_pipeline(StandardScaler(), RandomForestClassifier(30, random_state=0)),
        y,
    ),
    "forest regressor": (RandomForestRegressor(20, random_state=0), REGRESSION),
    "extra trees": (ExtraTreesClassifier(20, random_state=0), y),
    "boosting": (GradientBoostingClassifier(n_estimators=20, random_state=0), y),
    "boosting regressor": (GradientBoostingRegressor(n_estimators=20, random_state=0), REGRESSION),
    "tree": (DecisionTreeClassifier(random_state=0), y),
    "tree regressor": (DecisionTreeRegressor(random_state=0), REGRESSION),
    "imputer": (make_pipeline(SimpleImputer(), StandardScaler(), Ridge()), REGRESSION),
    "support vectors": (make_pipeline(StandardScaler(), SVC()), y),
    "neighbours": (KNeighborsClassifier(), y),
    "network": (
        make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=50, random_state=0)),
        y,
    ),
    "naive Bayes": (GaussianNB(), y),
    "components": (PCA(3), y),
    "several targets": (MultiOutputClassifier(LogisticRegression(max_iter=5000)), np.c_[y, 1 - y]),
    "clusters": (KMeans(3, n_init=1, random_state=0), y),
}

BY_NUMPY = {
    "imputer",
    "forest",
    "forest behind a scaler",
    "forest regressor",
    "extra trees",
    "boosting",
    "boosting regressor",
    "tree",
    "tree regressor",
    "linear",
    "logistic",
    "logistic, three classes",
    "logistic, words",
    "logistic, booleans",
    "network",
    "components",
}
"""Those of few dense operations, and trees."""

DEEP = {
    "boosting regressor",
    "clusters",
    "extra trees",
    "forest behind a scaler",
    "logistic, booleans",
    "logistic, three classes",
    "neighbours",
    "tree regressor",
}
"""Those that only `make deep` tries, as others are computed the same way."""


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", few_of(PROVEN, PROVEN.keys() - DEEP))
def test_compiled_it_answers_as_scikit_learn_does(name: str):
    """New rows get equal labels, and numbers within the tolerance."""
    unfitted, target = PROVEN[name]
    estimator = unfitted.fit(X, target)
    contract = contract_of(estimator)
    model, graph = convert(estimator, contract, X, onnx_graphs(estimator, X.shape[1]))
    assert model.parity["rows"] > MIN_COMPARED_ANSWERS
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
            assert type(answers[0]) is type(expected[0])


ALL_METHODS: dict[str, tuple[Any, np.ndarray, set[str]]] = {
    "logistic": (
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        y,
        {"predict", "predict_proba", "predict_log_proba", "decision_function"},
    ),
    "logistic, three classes": (
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        THREE,
        {"predict", "predict_proba", "predict_log_proba", "decision_function"},
    ),
    "boosting": (
        HistGradientBoostingClassifier(max_iter=10),
        THREE,
        {"predict", "predict_proba", "decision_function"},
    ),
    "support vectors": (
        make_pipeline(StandardScaler(), SVC()),
        THREE,
        {"predict", "decision_function"},
    ),
    "clusters": (KMeans(3, n_init=1, random_state=0), y, {"predict", "transform"}),
}


@pytest.mark.parametrize("name", ALL_METHODS)
def test_each_method_is_compiled_that_the_graph_can_answer(name: str):
    """Logarithms of probabilities, scores and distances, not only the default method."""
    unfitted, target, methods = ALL_METHODS[name]
    estimator = unfitted.fit(X, target)
    contract = contract_of(estimator)
    model, graph = convert(estimator, contract, X, onnx_graphs(estimator, X.shape[1]))
    assert set(model.outputs) == methods
    direct = Predictor(estimator, contract)
    compiled = OnnxPredictor(model, open_session(graph), direct)
    for method in methods:
        batch = Batch(X[:50], method)
        own, answers = compiled.own_answers(batch)
        assert own.mean() > 0.5  # the rest is too unlikely for a logarithm
        expected = direct(Batch(batch.X[own], method))
        if np.asarray(expected).dtype.kind == "f":
            np.testing.assert_allclose(answers, expected, rtol=TOLERANCE, atol=TOLERANCE)
        else:
            assert answers == expected


def test_methods_that_stay_slow_are_named_with_the_reason():
    """No output of an isolation forest's graph is its ``score_samples``."""
    estimator = IsolationForest(n_estimators=5, random_state=0).fit(X)
    said: list[str] = []
    model, _ = convert(
        estimator, contract_of(estimator), X, onnx_graphs(estimator, X.shape[1]), said.append
    )
    assert "decision_function" in model.outputs
    (line,) = [line for line in said if "score_samples" in line]
    assert "is left to the model itself: the graph has no output with its answers" in line


def test_what_is_not_proven_is_not_compiled_and_says_why():
    """One threshold that is one bit off is found."""
    estimator = DecisionTreeRegressor(max_depth=4, random_state=0).fit(X, y)
    graphs = [
        (dtype, one_bit_off(graph))
        for dtype, graph in onnx_graphs(estimator, X.shape[1])
        if isinstance(graph, bytes)
    ]
    assert graphs
    with pytest.raises(NotProven, match="at the splits of its trees"):
        convert(estimator, contract_of(estimator), X, graphs)


def one_bit_off(graph: bytes) -> bytes:
    """Move the first threshold of a tree to the next float32."""
    model = onnx.load_from_string(graph)
    (values,) = [
        attribute.floats
        for node in model.graph.node
        for attribute in node.attribute
        if attribute.name == "nodes_values"
    ]
    values[0] = np.nextafter(np.float32(values[0]), np.float32(np.inf))
    moved: bytes = model.SerializeToString()
    return moved


def test_few_answers_prove_nothing(monkeypatch: pytest.MonkeyPatch):
    """A model that leaves nearly all rows to the estimator is not proven."""
    monkeypatch.setattr(graph_proof, "MIN_COMPARED_ANSWERS", 1_000_000)
    estimator = make_pipeline(FunctionTransformer(np.sqrt), Ridge()).fit(X, REGRESSION)
    with pytest.raises(NotProven, match="answers could be compared, fewer than"):
        convert(estimator, contract_of(estimator), X, onnx_graphs(estimator, X.shape[1]))


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

    class SlightlyWrong:
        def own_answers(self, batch: Batch) -> tuple[np.ndarray, list[Any]]:
            return np.ones(len(batch.X), dtype=bool), slightly_wrong(batch)

    *others, at_splits = row_sets(X, [split])
    parity = Parity(direct, contract, X)
    parity.compare(SlightlyWrong(), ("predict",), others)
    with pytest.raises(NotProven, match="at the splits"):
        parity.compare(SlightlyWrong(), ("predict",), [at_splits])
