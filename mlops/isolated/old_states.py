"""Brings the states of older estimators up to date, as far as their compiled forms need it."""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import IsolationForest
from sklearn.ensemble._gb import BaseGradientBoosting
from sklearn.ensemble._iforest import _average_path_length
from sklearn.tree._tree import Tree

RENAMED = {"base_estimator": "estimator", "base_estimator_": "estimator_"}
"""Attributes that have another name since 1.2."""


class OldTree(Tree):  # type: ignore[misc]
    """A tree of any version. Before 1.3 its nodes did not say where missing values go, and a
    classifier's leaves held counts in place of shares."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        nodes, values = state["nodes"], state["values"]
        new = Tree(1, np.array([1]), 1).__getstate__()["nodes"].dtype
        if missing := {*new.names} - {*nodes.dtype.names}:
            repaired = np.zeros(len(nodes), new)
            for name in {*new.names} - missing:
                repaired[name] = nodes[name]
            nodes = repaired
            if self.max_n_classes > 1:
                values = values / values.sum(axis=2, keepdims=True)
        super().__setstate__({**state, "nodes": nodes, "values": values})


def use_plain_tree(thing: Any) -> None:
    """Replace an OldTree by scikit-learn's own, which other processes can unpickle."""
    tree: Any = vars(thing).get("tree_")
    if isinstance(tree, OldTree):
        pickled: Any = tree.__reduce__()
        kind, arguments, state = pickled
        thing.tree_ = kind(*arguments)
        thing.tree_.__setstate__(state)


def bring_up_to_date(thing: Any) -> None:
    """Add the attributes that today's code reads, and older code did not write."""
    state = vars(thing)
    for old, new in RENAMED.items():
        if old in state and new not in state:
            state[new] = state[old]
    if isinstance(thing, BaseEstimator):
        _add_parameters(thing)
    # A part that is not brought up to date is not compiled, or not as the estimator answers.
    with suppress(Exception):
        if isinstance(thing, BaseGradientBoosting):
            thing._loss = thing._get_loss(sample_weight=None)
            thing.n_trees_per_iteration_ = thing.estimators_.shape[1]
        if isinstance(thing, IsolationForest):
            _add_path_lengths(thing)


def _add_parameters(estimator: Any) -> None:
    """Give an estimator the parameters that its class did not have, with their defaults."""
    for name, parameter in inspect.signature(type(estimator).__init__).parameters.items():
        if parameter.default is not parameter.empty and not hasattr(estimator, name):
            setattr(estimator, name, parameter.default)


def _add_path_lengths(forest: Any) -> None:
    """Add what 1.3 and later keep of each tree's leaves."""
    trees = [member.tree_ for member in forest.estimators_]
    forest._average_path_length_per_tree = [
        _average_path_length(tree.n_node_samples) for tree in trees
    ]
    forest._decision_path_lengths = [tree.compute_node_depths() for tree in trees]
