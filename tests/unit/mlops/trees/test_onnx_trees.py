"""Graphs of boosted trees answer like their library, to its own precision."""

import itertools
from collections.abc import Callable
from typing import Any

import boosted
import numpy as np
import onnx
import pytest
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import support  # noqa: F401  puts tests/models on the path
from azureml_scoring.models.engines.onnx_session import open_session
from mlops.graph_proof import _splits
from mlops.graphs import onnx_graphs
from mlops.parity import NotProven

Make = Callable[..., Any]


def graph_of(estimator: Any) -> bytes:
    """Return the float64 graph; raise the reason why there is none."""
    dtype, graph = next(onnx_graphs(estimator, boosted.WIDTH))
    assert dtype == "float64"
    if isinstance(graph, NotProven):
        raise graph
    return graph


def odd_rows(graph: bytes, X: np.ndarray) -> np.ndarray:
    """Return rows at the trees' thresholds and one bit beside them, with gaps and without."""
    rng = np.random.default_rng(1)
    at = [X[:100].copy() for _ in range(3)]
    splits = itertools.islice(_splits(onnx.load_from_string(graph)), 100)
    for row, (feature, threshold) in enumerate(splits):
        values = (threshold, np.nextafter(threshold, np.inf), np.nextafter(threshold, -np.inf))
        for rows, value in zip(at, values, strict=True):
            rows[row, feature] = value
    gappy = np.where(rng.random(X.shape) < 0.2, np.nan, X)
    return np.concatenate([X, gappy, np.nextafter(X, np.inf), *at])


FOREST = {"boosting_type": "rf", "subsample_freq": 1, "subsample": 0.5}
CASES: list[tuple[Make, str, dict[str, Any], float]] = [
    (boosted.lightgbm, "bools", {}, 1e-15),
    (boosted.lightgbm, "numbers", FOREST, 1e-15),
    (boosted.lightgbm, "texts", {}, 1e-15),
    (boosted.lightgbm, "numbers", {"objective": "multiclassova"}, 1e-15),
    (boosted.lightgbm, "amounts", {}, 1e-14),
    (boosted.lightgbm, "amounts", {"reg_sqrt": True}, 1e-13),
    (boosted.lightgbm, "counts", {"objective": "poisson"}, 1e-14),
    (boosted.xgboost, "bools", {}, 1e-6),
    (boosted.xgboost, "numbers", {}, 1e-6),
    (boosted.xgboost, "amounts", {}, 1e-5),
    (boosted.xgboost, "amounts", {"booster": "dart", "rate_drop": 0.3}, 1e-5),
    (boosted.xgboost, "amounts", {"missing": 0.0}, 1e-5),
    (boosted.xgboost, "counts", {"objective": "count:poisson"}, 1e-5),
    (boosted.xgboost, "pairs", {}, 1e-5),
    (boosted.catboost, "bools", {}, 1e-15),
    (boosted.catboost, "texts", {}, 1e-15),
    (boosted.catboost, "texts", {"grow_policy": "Lossguide"}, 1e-15),
    (boosted.catboost, "numbers", {"loss_function": "MultiClassOneVsAll"}, 1e-15),
    (boosted.catboost, "amounts", {"nan_mode": "Max"}, 1e-14),
    (boosted.catboost, "counts", {"loss_function": "Poisson"}, 1e-14),
    (boosted.catboost, "pairs", {"loss_function": "MultiRMSE"}, 1e-14),
    (boosted.histogram, "bools", {}, 1e-15),
    (boosted.histogram, "texts", {}, 1e-15),
    (boosted.histogram, "amounts", {}, 1e-14),
    (boosted.histogram, "counts", {"loss": "gamma"}, 1e-14),
]  # fmt: skip


@pytest.mark.parametrize("gaps", [False, True], ids=["whole", "gaps"])
@pytest.mark.parametrize(
    ("make", "kind", "parameters", "apart"),
    CASES,
    ids=[" ".join([make.__name__, kind, *parameters]) for make, kind, parameters, _ in CASES],
)
def test_a_graph_answers_like_the_booster(
    make: Make, kind: str, parameters: dict[str, Any], apart: float, gaps: bool
):
    """Also at the thresholds and one bit beside them, and where values are missing."""
    classifier = kind in ("bools", "numbers", "texts")
    X = boosted.rows(gaps=gaps)
    estimator = make(classifier=classifier, **parameters).fit(X, boosted.target(kind))
    graph = graph_of(estimator)
    odd = odd_rows(graph, X)
    answers = open_session(graph).run(None, {"X": odd})
    if classifier:
        np.testing.assert_array_equal(np.ravel(answers[0]), np.ravel(estimator.predict(odd)))
        expected = estimator.predict_proba(odd)
    else:
        expected = estimator.predict(odd)
    given = answers[-1].reshape(expected.shape)
    np.testing.assert_allclose(given, expected, atol=apart, rtol=apart)


def test_trees_behind_a_scaler_get_its_numbers():
    """A pipeline is one graph."""
    X = boosted.rows()
    estimator = make_pipeline(StandardScaler(), boosted.lightgbm(classifier=True))
    estimator.fit(X, boosted.target("texts"))
    label, _ = open_session(graph_of(estimator)).run(None, {"X": X})
    assert list(label) == list(estimator.predict(X))


def test_xgboost_answers_up_to_its_best_iteration():
    """As its predict does after an early stop."""
    X, y = boosted.rows(), np.random.default_rng(0).normal(size=boosted.COUNT)
    estimator = boosted.xgboost(early_stopping_rounds=2)
    estimator.fit(X[:200], y[:200], eval_set=[(X[200:], y[200:])], verbose=0)
    assert estimator.best_iteration + 1 < estimator.get_booster().num_boosted_rounds()
    (answers,) = open_session(graph_of(estimator)).run(None, {"X": X})
    np.testing.assert_allclose(np.ravel(answers), estimator.predict(X), rtol=1e-5, atol=1e-5)


def test_a_booster_that_learned_nothing_is_converted():
    """Its trees have no splits."""
    X = boosted.rows()
    for make in (boosted.lightgbm, boosted.xgboost, boosted.histogram):
        estimator = make().fit(X[:30], np.full(30, 3.0))
        (answers,) = open_session(graph_of(estimator)).run(None, {"X": X})
        np.testing.assert_allclose(np.ravel(answers), estimator.predict(X), rtol=1e-6)


def custom(y: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return score - y, np.ones_like(y)


@pytest.mark.parametrize(
    ("make", "parameters", "reason"),
    [
        (boosted.lightgbm, {"zero_as_missing": True}, "takes zeros as missing"),
        (boosted.lightgbm, {"linear_tree": True}, "leaves hold linear models"),
        (boosted.lightgbm, {"objective": custom}, "objective is custom"),
        (boosted.xgboost, {"booster": "gblinear", "updater": "coord_descent"}, "has no trees"),
        (boosted.catboost, {"loss_function": "RMSEWithUncertainty"}, "RMSEWithUncertainty, whose"),
    ],
)
@pytest.mark.filterwarnings("ignore")  # the libraries' own, of the parameters
def test_the_reason_says_what_in_the_model_is_not_converted(
    make: Make, parameters: dict[str, Any], reason: str
):
    """In the words of its library."""
    with pytest.raises(NotProven, match=reason):
        graph_of(make(**parameters).fit(boosted.rows(), boosted.target("amounts")))


SETS: list[tuple[Make, dict[str, Any]]] = [
    (boosted.lightgbm, {"categorical_feature": [0, 3], "min_data_per_group": 1, "cat_smooth": 1}),
    (boosted.histogram, {"categorical_features": [0, 3]}),
]


@pytest.mark.parametrize("gaps", [False, True], ids=["whole", "gaps"])
@pytest.mark.parametrize("count", [3, 12, 40, 100])
@pytest.mark.parametrize(("make", "parameters"), SETS, ids=["lightgbm", "histogram"])
@pytest.mark.filterwarnings("ignore")  # LightGBM's own, of the parameters
def test_splits_on_categories_are_sets(
    make: Make, parameters: dict[str, Any], count: int, gaps: bool
):
    """Numbers that the fit did not have, negative and huge ones go where they go in the library.

    LightGBM drops fractions; ONNX Runtime does so for histogram boosting too, which a proof shows.
    """
    rng = np.random.default_rng(0)
    X = boosted.rows(gaps=gaps)
    X[:, 0], X[:, 3] = rng.integers(0, count, (2, boosted.COUNT))
    if gaps:
        X[::7, 3] = np.nan
    effects = rng.normal(size=count)
    target = effects[X[:, 0].astype(int)] + effects[::-1][np.nan_to_num(X[:, 3]).astype(int)]
    estimator = make(**parameters).fit(X, target)
    graph = graph_of(estimator)
    strange = rng.choice([-1.0, 0.0, count, count + 1, 300, 2.0**31, 1e300], X.shape)
    odd = np.where(rng.random(X.shape) < 0.3, strange, X)
    if make is boosted.lightgbm:
        fractions = np.where(rng.random(X.shape) < 0.3, X + rng.choice([-0.5, 0.5], X.shape), X)
        odd = np.concatenate([odd_rows(graph, X), odd, fractions])
    (answers,) = open_session(graph).run(None, {"X": odd})
    np.testing.assert_allclose(np.ravel(answers), estimator.predict(odd), rtol=1e-14, atol=1e-14)


def test_boosted_and_other_trees_are_not_joined():
    """No version of ONNX has both of their operators."""
    members = [("a", boosted.lightgbm(classifier=True)), ("b", RandomForestClassifier(3))]
    stack = StackingClassifier(members, cv=2).fit(boosted.rows(), boosted.target("numbers"))
    with pytest.raises(NotProven, match="joins boosted trees with other trees"):
        graph_of(stack)


def test_a_probability_threshold_of_its_own_is_not_compiled():
    """The graph picks the more probable class; few rows of a proof may lie in between."""
    estimator = boosted.catboost(classifier=True).fit(boosted.rows(), boosted.target("bools"))
    estimator.set_probability_threshold(0.501)
    with pytest.raises(NotProven, match="its probability threshold is not"):
        graph_of(estimator)
