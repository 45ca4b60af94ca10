"""Reads XGBoost's trees off its own JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from mlops.parity import NotProven
from mlops.trees.ensemble import Ensemble, Link, Tree

LINKS: dict[str, Link] = {
    "binary:logistic": "sigmoid", "reg:logistic": "sigmoid",
    "multi:softprob": "softmax", "multi:softmax": "softmax",
    "count:poisson": "exp", "reg:gamma": "exp", "reg:tweedie": "exp",
    "reg:squarederror": "identity", "reg:squaredlogerror": "identity",
    "reg:pseudohubererror": "identity", "reg:absoluteerror": "identity",
    "reg:quantileerror": "identity",
}  # fmt: skip
"""Objective -> how its sums become answers."""


def ensemble(booster: Any, iterations: int | None, missing: float = np.nan) -> Ensemble:
    """Return the trees of the first ``iterations`` of an ``xgboost.Booster``; None: all.

    Raises NotProven.
    """
    learner = json.loads(booster.save_raw("json"))["learner"]
    objective = learner["objective"]["name"]
    if objective not in LINKS:
        raise NotProven(f"its objective is {objective}, whose answers are not known here")
    link, parameters = LINKS[objective], learner["learner_model_param"]
    model, weights = _trees(learner["gradient_booster"])
    count = None if iterations is None else model["iteration_indptr"][iterations]
    outputs = max(1, int(parameters["num_class"]), int(parameters.get("num_target", 1)))
    # float32, as the library keeps it.
    base = np.broadcast_to(
        np.float32(json.loads(parameters["base_score"].lower())), (outputs,)
    ).astype(np.float64)
    if link == "sigmoid":
        base = np.log(base / (1 - base))
    elif link == "exp":
        base = np.log(base)
    return Ensemble(
        [
            _tree(tree, output, weight)
            for tree, output, weight in zip(
                model["trees"][:count], model["tree_info"][:count], weights[:count], strict=True
            )
        ],
        base,
        link,
        compared="float32",
        added="float32",
        comparison="below",
        missing=None if np.isnan(missing) else float(missing),
    )


def _trees(booster: dict[str, Any]) -> tuple[dict[str, Any], list[float]]:
    """Return the trees and the weight of each."""
    if booster["name"] == "dart":
        return booster["gbtree"]["model"], booster["weight_drop"]
    if booster["name"] != "gbtree":
        raise NotProven(f"it has no trees (booster={booster['name']})")
    return booster["model"], [1.0] * len(booster["model"]["trees"])


def _tree(tree: dict[str, Any], output: int, weight: float) -> Tree:
    if tree["tree_param"]["size_leaf_vector"] not in ("0", "1"):
        raise NotProven("its leaves hold several numbers (multi_strategy=multi_output_tree)")
    numbers = np.array(tree["split_conditions"], dtype=np.float32)
    left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
    missing_left = np.array(tree["default_left"]).astype(bool)
    sets = dict(_sets(tree))
    by_set = np.isin(np.arange(len(left)), list(sets))
    return Tree.of_nodes(
        leaf=left < 0,
        feature=np.array(tree["split_indices"]),
        threshold=numbers,
        # A set's members go to the right, and to a Tree's left.
        missing_left=missing_left ^ by_set,
        left=np.where(by_set, right, left),
        right=np.where(by_set, left, right),
        value=numbers * np.float32(weight),
        output=output,
        sets=sets,
    )


def _sets(tree: dict[str, Any]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each node that splits by a set of categories, and the set."""
    parts = (tree[f"categories_{name}"] for name in ("nodes", "segments", "sizes"))
    for node, begin, size in zip(*parts, strict=True):
        yield node, np.array(tree["categories"][begin : begin + size], dtype=np.float64)
