"""Trees, computed by numpy."""

from typing import Any

import boosted
import numpy as np
import pytest
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier

import support  # noqa: F401  puts tests/models on the path
from azureml_scoring.models.engines import numpy_trees
from azureml_scoring.models.engines.numpy_graph import NumpyGraph
from azureml_scoring.models.engines.onnx_session import open_session
from mlops.graphs import onnx_graphs

X = boosted.rows()
BOOLS, TEXTS, AMOUNTS = map(boosted.target, ("bools", "texts", "amounts"))
PAIRS = boosted.target("pairs")
TREES: dict[str, Any] = {
    "forest of two classes": RandomForestClassifier(7, random_state=0).fit(X, BOOLS),
    "forest of three": RandomForestClassifier(7, random_state=0).fit(X, TEXTS),
    "forest of numbers": RandomForestRegressor(7, random_state=0).fit(X, AMOUNTS),
    "forest of pairs": ExtraTreesRegressor(7, random_state=0).fit(X, PAIRS),
    "tree": DecisionTreeClassifier(random_state=0).fit(X, TEXTS),
    "leaves": RandomForestRegressor(3).fit(X[:1], AMOUNTS[:1]),
    "boosting of two classes": GradientBoostingClassifier(n_estimators=5).fit(X, BOOLS),
    "boosting of three": GradientBoostingClassifier(n_estimators=5).fit(X, TEXTS),
    "histogram boosting": boosted.histogram(classifier=True).fit(X, TEXTS),
    "LightGBM": boosted.lightgbm(classifier=True).fit(X, BOOLS),
    "XGBoost, zeros are missing": boosted.xgboost(missing=0.0).fit(X, AMOUNTS),
}


def graph_of(estimator: Any) -> tuple[bytes, str]:
    """Return the graph that is tried first, and its floats; ONNX Runtime has no single tree in
    float64."""
    graphs = dict(onnx_graphs(estimator, estimator.n_features_in_))
    dtype: Any = "float32" if isinstance(estimator, DecisionTreeClassifier) else "float64"
    graph = graphs[dtype]
    assert isinstance(graph, bytes)
    return graph, dtype


@pytest.mark.slow
@pytest.mark.parametrize("gaps", [False, True], ids=["whole", "gaps"])
@pytest.mark.parametrize("name", TREES)
def test_trees_are_answered_as_by_onnx_runtime(name: str, gaps: bool):
    """Shape, type and values, for one row and for many, also where values are missing."""
    graph, dtype = graph_of(TREES[name])
    by_numpy, session = NumpyGraph.of(graph), open_session(graph)
    assert by_numpy
    rows = boosted.rows(gaps=gaps).astype(dtype)
    for output in session.get_outputs():
        for count in (1, len(rows)):
            (answers,), (expected,) = (
                engine.run([output.name], {"X": rows[:count]}) for engine in (by_numpy, session)
            )
            assert answers.shape == expected.shape
            if expected.dtype.kind == "f":
                assert answers.dtype == expected.dtype
                np.testing.assert_allclose(answers, expected, rtol=1e-5, atol=1e-6)
            else:
                assert answers.tolist() == expected.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("name", TREES)
def test_a_row_among_others_is_answered_as_it_is_alone(name: str, monkeypatch: pytest.MonkeyPatch):
    """To the last bit, also in batches that are followed in parts."""
    graph = NumpyGraph.of(graph_of(TREES[name])[0])
    assert graph
    output = list(graph._programs)[-1]
    alone = np.concatenate([graph.run([output], {"X": X[k : k + 1]})[0] for k in range(40)])
    assert graph.each_row(output, X[:40]).tobytes() == alone.tobytes()
    monkeypatch.setattr(numpy_trees, "MAX_PAIRS", 50)
    assert graph.each_row(output, X[:40]).tobytes() == alone.tobytes()


def test_a_value_at_a_threshold_goes_the_way_of_the_library():
    """scikit-learn's trees send it to the left, XGBoost's to the right."""
    codes = np.tile(np.arange(4.0), 50)[:, None]
    for estimator in (
        DecisionTreeClassifier(random_state=0).fit(codes, codes[:, 0] >= 2),
        boosted.xgboost(classifier=True).fit(codes, codes[:, 0] >= 2),
    ):
        graph, dtype = graph_of(estimator)
        by_numpy = NumpyGraph.of(graph)
        assert by_numpy
        rows = np.arange(0, 4, 0.25)[:, None]
        (labels,) = by_numpy.run([next(iter(by_numpy._programs))], {"X": rows.astype(dtype)})
        assert labels.astype(bool).tolist() == estimator.predict(rows).astype(bool).tolist()
