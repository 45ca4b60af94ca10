"""A pickle of another scikit-learn is read as far as its compiled form needs it."""

import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.ensemble import (
    GradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.tree._tree import Tree

import support
from mlops.isolated import old_pickle

X = np.random.default_rng(0).normal(size=(60, 3))
y = (X[:, 0] > 0).astype(int)


class BeforeMissingValues:
    """Pickles a tree as scikit-learn 1.2 did."""

    def __init__(self, tree: Tree, counts: bool) -> None:
        self.tree, self.counts = tree, counts

    def __reduce__(self) -> tuple[Any, ...]:
        kind, arguments, state = self.tree.__reduce__()
        nodes, values = state["nodes"], state["values"]
        names = [name for name in nodes.dtype.names if name != "missing_go_to_left"]
        old = np.zeros(len(nodes), [(name, nodes.dtype[name]) for name in names])
        for name in names:
            old[name] = nodes[name]
        if self.counts:
            values = values * nodes["weighted_n_node_samples"][:, None, None]
        return kind, arguments, {**state, "nodes": old, "values": values}


def as_before(estimator: Any, folder: Path, counts: bool = True) -> Any:
    members = getattr(estimator, "estimators_", [estimator])
    for tree in np.ravel(members):
        tree.tree_ = BeforeMissingValues(tree.tree_, counts)
    return old_pickle.read(support.dump(estimator, folder))


def test_a_tree_before_missing_values_is_read(tmp_path: Path):
    """Its leaves held counts, and its nodes one field less."""
    estimator = DecisionTreeClassifier(max_depth=3).fit(X, y)
    expected = estimator.predict_proba(X)
    np.testing.assert_allclose(as_before(estimator, tmp_path).predict_proba(X), expected)


def test_a_tree_of_numbers_keeps_its_values(tmp_path: Path):
    """They never were counts."""
    estimator = DecisionTreeRegressor(max_depth=3).fit(X, X[:, 0])
    expected = estimator.predict(X)
    read = as_before(estimator, tmp_path, counts=False)
    np.testing.assert_array_equal(read.predict(X), expected)


@pytest.mark.parametrize("kind", [RandomForestClassifier, GradientBoostingClassifier])
def test_trees_inside_an_ensemble_are_read(kind: Any, tmp_path: Path):
    """Also in an array of them; they are plain trees, which others can unpickle."""
    estimator = kind(n_estimators=3, random_state=0).fit(X, y)
    expected = estimator.predict_proba(X)
    read = as_before(estimator, tmp_path, counts=kind is RandomForestClassifier)
    np.testing.assert_allclose(read.predict_proba(X), expected)
    assert {type(tree.tree_) for tree in np.ravel(read.estimators_)} == {Tree}
    pickle.loads(pickle.dumps(read))


def test_attributes_of_boosting_are_todays(tmp_path: Path):
    """Converters ask for the loss, whose classes have moved."""
    estimator = GradientBoostingClassifier(n_estimators=3).fit(X, y)
    expected = estimator.predict_proba(X)
    estimator._loss = None
    del estimator.n_trees_per_iteration_
    read = old_pickle.read(support.dump(estimator, tmp_path))
    np.testing.assert_array_equal(read.predict_proba(X), expected)


def test_an_isolation_forest_before_path_lengths_is_read(tmp_path: Path):
    """It kept none of its leaves' depths, and called its tree base_estimator_."""
    estimator = IsolationForest(n_estimators=3, random_state=0).fit(X)
    expected = estimator.score_samples(X)
    del estimator._decision_path_lengths, estimator._average_path_length_per_tree
    estimator.base_estimator_ = vars(estimator).pop("estimator_")
    read = as_before(estimator, tmp_path, counts=False)
    np.testing.assert_array_equal(read.score_samples(X), expected)
    assert read.estimator_ is read.base_estimator_


def test_a_class_that_is_gone_is_left_out(tmp_path: Path):
    """A loss, for example, of which no compiled form needs to know."""
    (tmp_path / "m.pkl").write_bytes(
        b"(dS'loss'\ncsklearn.ensemble._gb_losses\nBinomialDeviance\n(I2\ntR(dS'K'\nI1\nsbs."
    )
    loss = old_pickle.read(tmp_path / "m.pkl")["loss"]
    assert loss.K == 1
    assert type(pickle.loads(pickle.dumps(loss))) is old_pickle.Unknown


def test_parameters_that_are_new_have_their_defaults(tmp_path: Path):
    """Code of today reads them."""
    estimator = DecisionTreeClassifier().fit(X, y)
    del estimator.monotonic_cst
    assert old_pickle.read(support.dump(estimator, tmp_path)).monotonic_cst is None


def test_other_pickles_are_read_as_before_afterwards(tmp_path: Path):
    """Nothing of it is left."""
    file = support.dump(LogisticRegression().fit(X, y), tmp_path)
    old_pickle.read(file)
    (tmp_path / "m.pkl").write_bytes(b"cno_such_module\nThing\n.")
    with pytest.raises(ModuleNotFoundError):
        joblib.load(tmp_path / "m.pkl")
