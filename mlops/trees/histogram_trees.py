"""Reads the trees of scikit-learn's histogram gradient boosting."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import is_classifier

from mlops.parity import NotProven
from mlops.trees.ensemble import Ensemble, Link, Tree, set_bits

LINKS: dict[str, Link] = {"IdentityLink": "identity", "LogLink": "exp"}


def ensemble(estimator: Any) -> Ensemble:
    """Return the trees of a HistGradientBoosting estimator. Raises NotProven."""
    columns = _Columns(estimator)
    base = np.ravel(estimator._baseline_prediction).astype(np.float64)
    link = LINKS.get(type(estimator._loss.link).__name__)
    if is_classifier(estimator):
        link = "sigmoid" if len(base) == 1 else "softmax"
    if link is None:
        raise NotProven(f"its loss is {estimator.loss}, whose answers are not known here")
    return Ensemble(
        [
            _tree(predictor, output, columns)
            for iteration in estimator._predictors
            for output, predictor in enumerate(iteration)
        ],
        base,
        link,
        compared="float64",
        added="float64",
    )


class _Columns:
    """What the trees' features are.

    The model's own encoder puts columns of categories first, and codes in place of their values.
    Without it (``own_encoders`` takes it off) columns are codes already, in the order of the trees.
    """

    def __init__(self, estimator: Any) -> None:
        """Raises NotProven."""
        self._places = np.arange(estimator.n_features_in_)
        known = estimator._bin_mapper.known_categories or ()
        self._values = [codes for codes in known if codes is not None]
        if self._values and estimator._preprocessor is not None:
            categorical = estimator.is_categorical_
            self._places = np.r_[np.flatnonzero(categorical), np.flatnonzero(~categorical)]
            encoder = estimator._preprocessor.named_transformers_["encoder"]
            self._values = [
                values[: len(codes)]  # a missing value is the last
                for values, codes in zip(encoder.categories_, self._values, strict=True)
            ]
        if any(values.dtype.kind not in "biuf" for values in self._values):
            raise NotProven("its trees split on texts, which another step hands to it")

    def of(self, features: np.ndarray) -> np.ndarray:
        places: np.ndarray = self._places[features]
        return places

    def members(self, feature: int, bits: np.ndarray, *, missing_left: bool) -> np.ndarray:
        """Return the values that do not go where missing ones go: all that are not known do."""
        values = self._values[feature].astype(np.float64)
        left = set_bits(bits)[: len(values)]
        members: np.ndarray = values[~left if missing_left else left]
        return members


def _tree(predictor: Any, output: int, columns: _Columns) -> Tree:
    nodes = predictor.nodes
    left, right = nodes["left"].copy(), nodes["right"].copy()
    missing_left = nodes["missing_go_to_left"].astype(bool)
    sets = {}
    by_set = nodes["is_categorical"].astype(bool) & ~nodes["is_leaf"].astype(bool)
    for node in np.flatnonzero(by_set).tolist():
        bits = predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]]
        sets[node] = columns.members(
            nodes["feature_idx"][node], bits, missing_left=missing_left[node]
        )
        if missing_left[node]:
            left[node], right[node] = right[node], left[node]
            missing_left[node] = False
    return Tree.of_nodes(
        leaf=nodes["is_leaf"].astype(bool),
        feature=columns.of(nodes["feature_idx"]),
        threshold=nodes["num_threshold"],
        missing_left=missing_left,
        left=left,
        right=right,
        value=nodes["value"],
        output=output,
        sets=sets,
    )
