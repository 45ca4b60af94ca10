"""ONNX's tree operations as functions of numpy arrays, for numpy_graph.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from azureml_scoring.models.engines.numpy_operations import Function, sigmoid, softmax
from azureml_scoring.models.engines.numpy_trees import NumpyTrees, TreeNodes
from azureml_scoring.models.engines.onnx_reader import attributes_of

if TYPE_CHECKING:
    from onnx import NodeProto

Step = tuple[Function, str, str]
"""A function, the value that it takes, and the one that it gives."""

TREES = {"TreeEnsemble", "TreeEnsembleRegressor", "TreeEnsembleClassifier"}

TIE_DIGITS = 5
"""Decimals in which a forest's probabilities are compared: halves may add up to 0.50000001."""

SUM, NO_TRANSFORM = 1, 0
"""Values of TreeEnsemble's attributes."""


def tree_steps(node: NodeProto) -> Iterator[Step]:
    """Yield the steps that compute a node of TREES. Raises NotImplementedError."""
    (X, *_), attributes = node.input, attributes_of(node)
    match node.op_type:
        case "TreeEnsemble":
            yield _sums_of(attributes), X, node.output[0]
        case "TreeEnsembleRegressor":
            yield _regressor(attributes), X, node.output[0]
        case "TreeEnsembleClassifier":
            label, scores = node.output
            labels = _labels(attributes)
            yield _classifier(attributes, len(labels)), X, scores
            yield _most_probable(labels, _link(attributes)), scores, label


def _sums_of(attributes: dict[str, Any]) -> Function:
    """Return the function of a TreeEnsemble, which answers in the floats that it takes."""
    modes = np.unique(attributes["nodes_modes"]).tolist()
    if (
        modes not in ([0], [1])
        or attributes.get("aggregate_function", SUM) != SUM
        or attributes.get("post_transform", NO_TRANSFORM) != NO_TRANSFORM
    ):
        raise NotImplementedError("trees of another kind")
    splits, leaves = len(attributes["nodes_splits"]), len(attributes["leaf_weights"])
    true, false = (
        attributes[f"nodes_{side}nodeids"] + splits * attributes[f"nodes_{side}leafs"]
        for side in ("true", "false")
    )
    tracks = attributes.get("nodes_missing_value_tracks_true", np.zeros(splits))
    values = np.zeros((splits + leaves, attributes["n_targets"]))
    values[splits + np.arange(leaves), attributes["leaf_targetids"]] = attributes["leaf_weights"]
    trees = NumpyTrees(
        TreeNodes(
            feature=_longer(attributes["nodes_featureids"], leaves),
            threshold=_longer(attributes["nodes_splits"], leaves),
            true=true,
            false=false,
            missing_true=_longer(tracks != 0, leaves),
            leaf=np.arange(splits + leaves) >= splits,
            values=values,
            roots=attributes["tree_roots"],
            below=modes == [1],
        )
    )
    return lambda x: trees(x).astype(x.dtype, copy=False)


def _longer(values: np.ndarray, leaves: int) -> np.ndarray:
    return np.concatenate([values, np.zeros(leaves, dtype=values.dtype)])


def _regressor(attributes: dict[str, Any]) -> Function:
    if attributes.get("aggregate_function", "SUM") != "SUM" or _link(attributes) != "NONE":
        raise NotImplementedError("trees of another kind")
    targets = attributes["n_targets"]
    trees, base = _older_trees(attributes, "target", targets), _base(attributes, targets)
    return lambda x: (trees(x) + base).astype(np.float32)


def _classifier(attributes: dict[str, Any], classes: int) -> Function:
    """Return the function of probabilities, or of scores where there is no link."""
    link, alone = _link(attributes), classes == 2 and len(np.unique(attributes["class_ids"])) == 1
    if alone:
        attributes["class_ids"] = np.zeros_like(attributes["class_ids"])
    targets = 1 if alone else classes
    trees, base = _older_trees(attributes, "class", targets), _base(attributes, targets)
    positive = bool((attributes["class_weights"] >= 0).all())

    def scores(x: np.ndarray) -> np.ndarray:
        sums = trees(x) + base
        if link == "SOFTMAX":
            sums = softmax(sums, axis=1)
        elif alone and link == "LOGISTIC":
            sums = np.concatenate([sigmoid(-sums), sigmoid(sums)], axis=1)
        elif alone:
            sums = np.concatenate([1 - sums if positive else -sums, sums], axis=1)
        elif link == "LOGISTIC":
            sums = sigmoid(sums)
        answers: np.ndarray = sums.astype(np.float32)
        return answers

    return scores


def _most_probable(labels: np.ndarray, link: str) -> Function:
    if link == "NONE":
        return lambda x: labels.take(x.round(TIE_DIGITS).argmax(axis=1))
    return lambda x: labels.take(x.argmax(axis=1))


def _link(attributes: dict[str, Any]) -> str:
    link: str = attributes.get("post_transform", "NONE")
    if link not in ("NONE", "LOGISTIC", "SOFTMAX"):
        raise NotImplementedError(link)
    return link


def _base(attributes: dict[str, Any], targets: int) -> np.ndarray:
    base: np.ndarray = attributes.get("base_values", np.zeros(0)).astype(np.float64)
    if len(base) not in (0, targets):
        raise NotImplementedError("base values of another number")
    return base if len(base) else np.zeros(targets)


def _labels(attributes: dict[str, Any]) -> np.ndarray:
    if "classlabels_strings" in attributes:
        return np.array([text.decode() for text in attributes["classlabels_strings"]], dtype=object)
    labels: np.ndarray = attributes["classlabels_int64s"]
    return labels


def _older_trees(attributes: dict[str, Any], kind: str, targets: int) -> NumpyTrees:
    """Return the trees of an operation whose leaves are nodes: ``kind`` begins their names."""
    if "nodes_values" not in attributes:
        raise NotImplementedError("thresholds of float64")
    modes = attributes["nodes_modes"]
    leaf = modes == b"LEAF"
    splits = np.unique(modes[~leaf]).tolist()
    if splits not in ([], [b"BRANCH_LEQ"], [b"BRANCH_LT"]):
        raise NotImplementedError("trees of another kind")
    tree, each = attributes["nodes_treeids"], int(attributes["nodes_nodeids"].max()) + 1
    index = np.zeros((int(tree.max()) + 1) * each, dtype=np.int64)
    index[tree * each + attributes["nodes_nodeids"]] = np.arange(len(tree))
    true, false = (
        np.where(leaf, 0, index[tree * each + attributes[f"nodes_{side}nodeids"]])
        for side in ("true", "false")
    )
    is_root = np.ones(len(tree), dtype=bool)
    is_root[true[~leaf]] = is_root[false[~leaf]] = False
    values = np.zeros((len(tree), targets))
    place = index[attributes[f"{kind}_treeids"] * each + attributes[f"{kind}_nodeids"]]
    np.add.at(values, (place, attributes[f"{kind}_ids"]), attributes[f"{kind}_weights"])
    tracks = attributes.get("nodes_missing_value_tracks_true", np.zeros(len(tree)))
    return NumpyTrees(
        TreeNodes(
            feature=attributes["nodes_featureids"],
            threshold=attributes["nodes_values"],
            true=true,
            false=false,
            missing_true=tracks != 0 if len(tracks) else np.zeros(len(tree), dtype=bool),
            leaf=leaf,
            values=values,
            roots=np.flatnonzero(is_root),
            below=splits == [b"BRANCH_LT"],
        )
    )
