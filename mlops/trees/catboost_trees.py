"""Reads CatBoost's trees off its own JSON."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mlops.parity import NotProven
from mlops.trees.ensemble import Ensemble, Link, Tree

LINKS: dict[str, Link] = {
    "Logloss": "sigmoid", "CrossEntropy": "sigmoid", "MultiClassOneVsAll": "sigmoid",
    "MultiClass": "softmax",
    "Poisson": "exp", "Tweedie": "exp",
    "RMSE": "identity", "MAE": "identity", "MAPE": "identity", "Quantile": "identity",
    "Huber": "identity", "Expectile": "identity", "LogCosh": "identity", "Lq": "identity",
    "MultiRMSE": "identity",
}  # fmt: skip
"""Loss function -> how its sums become answers."""

BINARY_LOSSES = ("Logloss", "CrossEntropy")


def ensemble(model: Any) -> Ensemble:
    """Return the trees of a ``catboost.CatBoost``. Raises NotProven."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.json"
        model.save_model(str(file), format="json")
        document = json.loads(file.read_bytes())
    loss = document["model_info"]["params"]["loss_function"]["type"]
    if loss not in LINKS:
        raise NotProven(f"its loss function is {loss}, whose answers are not known here")
    if loss in BINARY_LOSSES and getattr(model, "get_probability_threshold", lambda: 0.5)() != 0.5:
        raise NotProven("its probability threshold is not 0.5")
    scale, bias = document["scale_and_bias"]
    base = np.atleast_1d(np.array(bias, dtype=np.float64))
    columns = _Columns(document["features_info"])
    if "oblivious_trees" in document:
        trees = (_of_levels(tree, len(base), columns) for tree in document["oblivious_trees"])
    else:
        trees = (_of_splits(tree, columns) for tree in document["trees"])
    return Ensemble(
        [part for tree in trees for part in _parts(tree, scale, len(base))],
        base,
        LINKS[loss],
        compared="float32",
        added="float64",
    )


class _Columns:
    """The column of a split's feature, and where a missing value goes."""

    def __init__(self, features: dict[str, Any]) -> None:
        known = {feature["feature_index"]: feature for feature in features["float_features"]}
        self._places = {i: feature["flat_feature_index"] for i, feature in known.items()}
        self._left = {i: feature["nan_value_treatment"] != "AsTrue" for i, feature in known.items()}

    def split(self, split: dict[str, Any]) -> tuple[int, np.float32, bool]:
        if split.get("split_type") != "FloatFeature":
            raise NotProven("its trees split on categories or texts")
        feature = split["float_feature_index"]
        return self._places[feature], np.float32(split["border"]), self._left[feature]


def _of_levels(tree: dict[str, Any], outputs: int, columns: _Columns) -> Tree:
    """Expand a tree whose splits are the same on each level: the last one is the root's.

    A leaf's number has a bit for each split, set where the value is larger.
    """
    splits = [columns.split(split) for split in reversed(tree.get("splits") or ())]
    count = 2 ** len(splits) - 1
    level = np.repeat(np.arange(len(splits)), 2 ** np.arange(len(splits)))
    left, right = (
        np.where(child < count, child, ~(child - count))
        for child in (2 * np.arange(count) + 1, 2 * np.arange(count) + 2)
    )
    return Tree(
        np.array([feature for feature, _, _ in splits], dtype=np.int64)[level],
        np.array([threshold for _, threshold, _ in splits], dtype=np.float64)[level],
        np.array([missing for _, _, missing in splits], dtype=bool)[level],
        left,
        right,
        np.array(tree["leaf_values"], dtype=np.float64).reshape(count + 1, outputs),
    )


def _of_splits(tree: dict[str, Any], columns: _Columns) -> Tree:
    splits: list[tuple[int, np.float32, bool]] = []
    children: list[list[int]] = []
    values: list[Any] = []

    def place(node: dict[str, Any], parent: int, side: int) -> None:
        if "split" in node:
            number = len(splits)
            splits.append(columns.split(node["split"]))
            children.append([0, 0])
            waiting.extend([(node["left"], number, 0), (node["right"], number, 1)])
        else:
            number = ~len(values)
            values.append(node["value"])
        if parent >= 0:
            children[parent][side] = number

    waiting = [(tree, -1, 0)]
    while waiting:
        place(*waiting.pop())
    feature, threshold, left = zip(*splits, strict=True) if splits else ((), (), ())
    both = np.array(children, dtype=np.int64).reshape(-1, 2)
    return Tree(
        np.array(feature, dtype=np.int64),
        np.array(threshold, dtype=np.float64),
        np.array(left, dtype=bool),
        both[:, 0],
        both[:, 1],
        np.array(values, dtype=np.float64).reshape(len(values), -1),
    )


def _parts(tree: Tree, scale: float, outputs: int) -> Iterator[Tree]:
    """Yield a tree for each output: its leaves hold a number for each."""
    for output in range(outputs):
        yield Tree(
            tree.feature,
            tree.threshold,
            tree.missing_left,
            tree.left,
            tree.right,
            tree.values[:, output] * scale,
            output,
        )
