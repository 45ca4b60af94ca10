"""Follows many rows through many trees at once, with numpy.

ONNX Runtime leads one row through one tree at a time, and each step waits until memory has answered
the one before. Here all rows take a step in all trees together, so that memory answers many at
once: for batches and trees that do not fit in a cache, this is several times quicker.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

MAX_PAIRS = 1 << 15
"""Pairs of a row and a tree that are followed together; for more, the cache is too small."""

STEPS_TOGETHER = 4
"""After so many steps, pairs that have come to a leaf are put aside."""


class TreeNodes(NamedTuple):
    """The nodes of all trees, splits and leaves.

    feature, threshold: what a split compares: ``value <= threshold``, or ``<`` with ``below``.
    true, false: the nodes that it leads to. missing_true: a missing value goes the way of true.
    leaf: which nodes are leaves. values: (nodes, targets), what they add.
    roots: the first node of each tree.
    """

    feature: np.ndarray
    threshold: np.ndarray
    true: np.ndarray
    false: np.ndarray
    missing_true: np.ndarray
    leaf: np.ndarray
    values: np.ndarray
    roots: np.ndarray
    below: bool


class NumpyTrees:
    """``trees(X)`` -> the sums of the leaves: (rows, targets), float64.

    A row's sum has the same bits among other rows as alone.
    """

    def __init__(self, nodes: TreeNodes) -> None:
        levels = [nodes.roots]
        while (splits := levels[-1][~nodes.leaf[levels[-1]]]).size:
            levels.append(np.stack([nodes.true[splits], nodes.false[splits]], axis=1).ravel())
        # Level by level, the two children of a split side by side.
        order = np.concatenate(levels)
        self._trees, self._steps = len(nodes.roots), len(levels) - 1
        self._is_split = ~nodes.leaf[order]
        self._feature = np.where(self._is_split, nodes.feature[order], 0).astype(np.int32)
        # Nothing compares with NaN: from a leaf, the way leads to itself.
        self._threshold = np.where(self._is_split, nodes.threshold[order], np.nan).astype(
            nodes.threshold.dtype
        )
        self._true = np.arange(len(order), dtype=np.int32)
        self._true[self._is_split] = len(nodes.roots) + 2 * np.arange(self._is_split.sum())
        self._missing_false = self._is_split & ~nodes.missing_true[order]
        self._goes_false = np.greater_equal if nodes.below else np.greater
        self._values = np.ascontiguousarray(nodes.values[order].T, dtype=np.float64)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        count = max(1, MAX_PAIRS // self._trees)
        if len(X) <= count:
            return self._sums(X)
        return np.concatenate(
            [self._sums(X[start : start + count]) for start in range(0, len(X), count)]
        )

    def _sums(self, X: np.ndarray) -> np.ndarray:
        leaves = self._leaves(X)
        sums = np.empty((len(X), len(self._values)))
        for target, values in enumerate(self._values):
            added = values.take(leaves).reshape(self._trees, len(X))
            # Row by row, numpy adds up in the same order for any number of rows.
            np.ascontiguousarray(added.T).sum(axis=1, out=sums[:, target])
        return sums

    def _leaves(self, X: np.ndarray) -> np.ndarray:
        """Return the leaf of each row in each tree: (trees * rows,), the first tree's first."""
        rows, width = X.shape
        values = X.ravel()
        gaps = bool(np.isnan(values).any())
        node = np.repeat(np.arange(self._trees), rows)
        row = np.tile(np.arange(0, rows * width, width), self._trees)
        leaves, place = node.copy(), np.arange(len(node))
        for step in range(self._steps):
            value = values.take(self._feature.take(node) + row)
            goes_false = self._goes_false(value, self._threshold.take(node))
            if gaps:
                goes_false |= np.isnan(value) & self._missing_false.take(node)
            node = np.add(self._true.take(node), goes_false, dtype=np.intp)
            if step % STEPS_TOGETHER == STEPS_TOGETHER - 1:
                leaves[place] = node
                on = np.flatnonzero(self._is_split.take(node))
                node, row, place = node.take(on), row.take(on), place.take(on)
        leaves[place] = node
        return leaves
