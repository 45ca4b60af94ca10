"""Reads the trees of scikit-learn's histogram gradient boosting."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import is_classifier

from mlops.parity import NotProven
from mlops.trees.ensemble import Ensemble, Link, Tree

LINKS: dict[str, Link] = {"IdentityLink": "identity", "LogLink": "exp"}


def ensemble(estimator: Any) -> Ensemble:
    """Return the trees of a HistGradientBoosting estimator. Raises NotProven."""
    if getattr(estimator, "is_categorical_", None) is not None:
        raise NotProven("its trees split on categories")
    base = np.ravel(estimator._baseline_prediction).astype(np.float64)
    link = LINKS.get(type(estimator._loss.link).__name__)
    if is_classifier(estimator):
        link = "sigmoid" if len(base) == 1 else "softmax"
    if link is None:
        raise NotProven(f"its loss is {estimator.loss}, whose answers are not known here")
    return Ensemble(
        [
            _tree(predictor.nodes, output)
            for iteration in estimator._predictors
            for output, predictor in enumerate(iteration)
        ],
        base,
        link,
        compared="float64",
        added="float64",
    )


def _tree(nodes: np.ndarray, output: int) -> Tree:
    return Tree.of_nodes(
        leaf=nodes["is_leaf"].astype(bool),
        feature=nodes["feature_idx"],
        threshold=nodes["num_threshold"],
        missing_left=nodes["missing_go_to_left"],
        left=nodes["left"],
        right=nodes["right"],
        value=nodes["value"],
        output=output,
    )
