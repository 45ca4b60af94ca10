"""An ONNX graph by itself answers like the estimator that it was made of, or says what to do."""

from typing import Any

import graphs
import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto, helper
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC, OneClassSVM

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models.engines.graph_estimator import GraphEstimator
from azureml_scoring.models.estimators.estimator_contract import methods_of

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 4)).astype(np.float32)
NAMES = np.array(["high", "low", "mid"])
LABELS = NAMES[np.digitize(X[:, 0] + X[:, 1], [-0.5, 0.5])]


def opened(graph: Any) -> GraphEstimator:
    data = graph if isinstance(graph, bytes) else graph.SerializeToString()
    return GraphEstimator(data, "m.onnx")


@pytest.mark.parametrize("zipmap", [True, False])
@pytest.mark.parametrize("labels", [LABELS, X[:, 0] > 0, np.digitize(X[:, 0], [-1, 1])])
def test_a_classifier_has_labels_and_probabilities(zipmap: bool, labels: np.ndarray):
    """As a list of maps or as an array, in the order of the classes."""
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, labels)
    graph = opened(graphs.of_sklearn(fitted, 4, zipmap=zipmap))
    assert methods_of(graph) == ("predict", "predict_proba")
    np.testing.assert_array_equal(graph.predict(X), fitted.predict(X))
    np.testing.assert_allclose(graph.predict_proba(X), fitted.predict_proba(X), atol=1e-5)
    assert graph.features() == (Feature(None, "float32"),) * 4


@pytest.mark.parametrize("zipmap", [True, False])
def test_raw_scores_are_no_probabilities(zipmap: bool):
    """skl2onnx names both `probabilities`; here they are those of `decision_function`."""
    fitted = LogisticRegression().fit(X, LABELS)
    graph = opened(graphs.of_sklearn(fitted, 4, zipmap=zipmap, raw_scores=True))
    assert methods_of(graph) == ("predict", "decision_function")
    np.testing.assert_allclose(graph.decision_function(X), fitted.decision_function(X), atol=1e-4)


@pytest.mark.parametrize("kind", [LinearSVC, OneClassSVM])
def test_a_decision_without_probabilities_is_one(kind: Any):
    """Of a classifier as of an outlier detector: what is converted without them has none."""
    fitted = kind().fit(X, X[:, 0] > 0)
    graph = opened(graphs.of_sklearn(fitted, 4))
    assert methods_of(graph) == ("predict", "decision_function")
    np.testing.assert_array_equal(graph.predict(X), fitted.predict(X))


def test_a_regressor_answers_with_numbers():
    """A number for each row, not a list of one."""
    rows = X.astype(np.float64)
    fitted = LinearRegression().fit(rows, rows[:, 0] * 2 + 1)
    graph = opened(graphs.of_sklearn(fitted, 4, double=True))
    assert methods_of(graph) == ("predict",)
    assert graph.predict(rows).shape == (200,)
    np.testing.assert_allclose(graph.predict(rows), fitted.predict(rows), rtol=1e-12, atol=1e-12)
    assert graph.features() == (Feature(None, "float64"),) * 4


def test_several_targets_are_a_list_a_row():
    """As of a regressor of several targets."""
    fitted = LinearRegression().fit(X, X[:, :2])
    graph = opened(graphs.of_sklearn(fitted, 4))
    np.testing.assert_allclose(graph.predict(X), fitted.predict(X), atol=1e-5)


def test_an_input_a_column_is_a_named_feature():
    """Texts, whole numbers and floats each have their own type."""
    frame = pd.DataFrame({"city": ["Oslo", "Rome"] * 100, "age": X[:, 0], "visits": [1, 2] * 100})
    columns = make_column_transformer(
        (OneHotEncoder(), ["city"]), ("passthrough", ["age", "visits"])
    )
    fitted = make_pipeline(columns, LogisticRegression()).fit(frame, LABELS)
    kinds = {"city": "StringTensorType", "age": "FloatTensorType", "visits": "Int64TensorType"}
    graph = opened(graphs.of_columns(fitted, kinds))
    assert graph.features() == (
        Feature("city", "str"),
        Feature("age", "float32"),
        Feature("visits", "int64"),
    )
    np.testing.assert_array_equal(graph.predict(frame.to_numpy()), fitted.predict(frame))
    np.testing.assert_allclose(
        graph.predict_proba(frame.to_numpy()), fitted.predict_proba(frame), atol=1e-5
    )


def test_a_graph_for_one_row_answers_several():
    """PyTorch exports a batch of one unless told otherwise."""
    graph = opened(graphs.linear(rows=1))
    np.testing.assert_array_equal(graph.predict(np.eye(3)), [1, 2, 3])


@pytest.mark.parametrize("kind", [TensorProto.INT64, TensorProto.INT32, TensorProto.UINT8])
def test_whole_numbers_stay_whole(kind: int):
    """A fraction or a missing value is refused, and not cut off."""
    graph = opened(graphs.whole(kind))
    assert graph.predict(np.array([[3.0], [4.0]])).tolist() == [4, 5]
    for value in (0.5, np.nan):
        with pytest.raises(ValueError, match="whole numbers alone"):
            graph.predict(np.array([[value]]))


def test_rows_of_another_width_are_refused():
    """ONNX Runtime would refuse them too, but not each graph."""
    with pytest.raises(ValueError, match="takes 3 columns"):
        opened(graphs.linear()).predict(np.ones((1, 2)))


def test_a_graph_that_takes_any_width_needs_a_signature_or_a_sample():
    """It does not say how many columns it takes."""
    graph = opened(graphs.linear(width=None))
    with pytest.raises(StartupError, match="does not say how many columns it takes; package it"):
        graph.features()
    assert len(graph.features(count=3)) == 3
    assert [f.name for f in graph.features([Feature(name) for name in "abc"])] == ["a", "b", "c"]


def test_a_signature_names_columns_and_says_where_values_may_be_missing():
    """The types stay those of the graph."""
    signature = [Feature("a", missing=True, optional=True), Feature("b"), Feature("c")]
    features = opened(graphs.linear()).features(signature)
    assert features[0] == Feature("a", "float32", missing=True, optional=True)
    assert features[1] == Feature("b", "float32")
    with pytest.raises(StartupError, match="has 2 columns and the graph takes 3"):
        opened(graphs.linear()).features(signature[:2])


def test_only_floats_may_be_missing():
    """A whole number has no value for that."""
    (feature,) = opened(graphs.whole()).features([Feature("n", missing=True, optional=True)])
    assert feature == Feature("n", "int64")


def test_an_unknown_value_that_the_graph_refuses_is_a_value_error():
    """The service then answers 422."""
    graph = opened(
        graphs.model(
            [helper.make_node("Gather", ["table", "x"], ["y"])],
            [graphs.tensor("x", TensorProto.INT64, "N")],
            [graphs.tensor("y", TensorProto.FLOAT, "N")],
            {"table": np.array([1.5, 2.5], np.float32)},
        )
    )
    assert graph.predict(np.array([[0], [1]])).tolist() == [1.5, 2.5]
    with pytest.raises(ValueError, match="ONNX Runtime failed"):
        graph.predict(np.array([[7]]))


def test_a_forest_answers_like_its_estimator():
    """The labels to the last, the probabilities as far as float32 goes."""
    fitted = RandomForestClassifier(20, random_state=0).fit(X, LABELS)
    graph = opened(graphs.of_sklearn(fitted, 4))
    np.testing.assert_array_equal(graph.predict(X), fitted.predict(X))
    np.testing.assert_allclose(graph.predict_proba(X), fitted.predict_proba(X), atol=1e-6)
