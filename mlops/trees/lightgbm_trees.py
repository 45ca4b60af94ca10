"""Reads LightGBM's trees off its own text, which holds each number exactly."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlops.parity import NotProven
from mlops.trees.ensemble import Ensemble, Link, Tree

CATEGORY_BIT, LEFT_BIT = 1, 2
MISSING_SHIFT, MISSING_IS_ZERO, MISSING_IS_NAN = 2, 1, 2
"""What the bits of ``decision_type`` mean."""

LINKS: dict[str, Link] = {
    "binary": "sigmoid", "cross_entropy": "sigmoid", "multiclassova": "sigmoid",
    "multiclass": "softmax",
    "poisson": "exp", "gamma": "exp", "tweedie": "exp",
    "regression": "identity", "regression_l1": "identity", "huber": "identity", "fair": "identity",
    "quantile": "identity", "mape": "identity",
}  # fmt: skip
"""Objective -> how its sums become answers."""


def ensemble(booster: Any) -> Ensemble:
    """Return the trees of a ``lightgbm.Booster``, up to its best iteration. Raises NotProven."""
    header, *trees = booster.model_to_string().split("\nTree=")
    fields = _fields(header)
    objective, *options = fields.get("objective", "custom").split()
    if objective not in LINKS:
        raise NotProven(f"its objective is {objective}, whose answers are not known here")
    outputs = int(fields["num_tree_per_iteration"])
    parameters = dict(option.split(":") for option in options if ":" in option)
    iterations = max(1, len(trees) // outputs)
    return Ensemble(
        [_tree(_fields(text), place % outputs) for place, text in enumerate(trees)],
        np.zeros(outputs),
        "signed square" if "sqrt" in options else LINKS[objective],
        compared="float64",
        added="float64",
        factor=float(parameters.get("sigmoid", 1.0))
        / (iterations if "average_output" in header.split("\n") else 1),
    )


def _tree(fields: dict[str, str], output: int) -> Tree:
    if fields.get("is_linear", "0") != "0":
        raise NotProven("its leaves hold linear models")
    values = _numbers(fields, "leaf_value")
    kinds = _numbers(fields, "decision_type").astype(np.int64)
    threshold = _numbers(fields, "threshold")
    missing = kinds >> MISSING_SHIFT
    if (kinds & CATEGORY_BIT).any():
        raise NotProven("its trees split on categories")
    if (missing == MISSING_IS_ZERO).any():
        raise NotProven("it takes zeros as missing (zero_as_missing)")
    return Tree(
        _numbers(fields, "split_feature").astype(np.int64),
        threshold,
        # A column that had no gaps at the fit takes a missing value as zero.
        np.where(missing == MISSING_IS_NAN, (kinds & LEFT_BIT) > 0, threshold >= 0),
        _numbers(fields, "left_child").astype(np.int64),
        _numbers(fields, "right_child").astype(np.int64),
        values,
        output,
    )


def _fields(text: str) -> dict[str, str]:
    lines = text.partition("\n\n\n")[0].split("\n")
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _numbers(fields: dict[str, str], name: str) -> np.ndarray:
    return np.array(fields.get(name, "").split(), dtype=np.float64)
