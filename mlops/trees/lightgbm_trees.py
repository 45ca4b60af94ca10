"""Reads LightGBM's trees off its own text, which holds each number exactly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mlops.parity import NotProven
from mlops.trees.ensemble import Ensemble, Link, Tree, set_bits

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
    grown = [_tree(_fields(text), place % outputs) for place, text in enumerate(trees)]
    return Ensemble(
        grown,
        np.zeros(outputs),
        "signed square" if "sqrt" in options else LINKS[objective],
        compared="float64",
        added="float64",
        factor=float(parameters.get("sigmoid", 1.0))
        / (iterations if "average_output" in header.split("\n") else 1),
        # pandas' categories come as codes.
        whole=() if booster.pandas_categorical else _split_by_sets(grown),
        width=booster.num_feature(),
    )


def _split_by_sets(trees: list[Tree]) -> tuple[int, ...]:
    return tuple(sorted({int(tree.feature[split]) for tree in trees for split in tree.sets}))


def _tree(fields: dict[str, str], output: int) -> Tree:
    if fields.get("is_linear", "0") != "0":
        raise NotProven("its leaves hold linear models")
    values = _numbers(fields, "leaf_value")
    kinds = _numbers(fields, "decision_type").astype(np.int64)
    threshold = _numbers(fields, "threshold")
    missing = kinds >> MISSING_SHIFT
    by_set = (kinds & CATEGORY_BIT) > 0
    if (missing == MISSING_IS_ZERO)[~by_set].any():
        raise NotProven("it takes zeros as missing (zero_as_missing)")
    # A column that had no gaps at the fit takes a missing value as zero.
    missing_left = np.where(missing == MISSING_IS_NAN, (kinds & LEFT_BIT) > 0, threshold >= 0)
    return Tree(
        _numbers(fields, "split_feature").astype(np.int64),
        threshold,
        missing_left & ~by_set,
        _numbers(fields, "left_child").astype(np.int64),
        _numbers(fields, "right_child").astype(np.int64),
        values,
        output,
        sets={
            int(split): np.flatnonzero(set_bits(words)).astype(np.float64)
            for split, words in _sets(fields, by_set)
        },
    )


def _sets(fields: dict[str, str], by_set: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each split by a set of categories, and the words whose bits are the categories."""
    words = _numbers(fields, "cat_threshold")
    ends = _numbers(fields, "cat_boundaries").astype(np.int64)
    numbers = _numbers(fields, "threshold").astype(np.int64)
    for split in np.flatnonzero(by_set).tolist():
        number = numbers[split]
        yield split, words[ends[number] : ends[number + 1]]


def _fields(text: str) -> dict[str, str]:
    lines = text.partition("\n\n\n")[0].split("\n")
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _numbers(fields: dict[str, str], name: str) -> np.ndarray:
    return np.array(fields.get(name, "").split(), dtype=np.float64)
