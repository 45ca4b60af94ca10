"""Boosted trees in one form, whichever library grew them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Dtype = Literal["float32", "float64"]
Link = Literal["identity", "sigmoid", "softmax", "exp", "signed square"]
Comparison = Literal["at most", "below"]


@dataclass(frozen=True)
class Tree:
    """One tree. Child ``i`` is a split where it is 0 or more, else the leaf ``~i``.

    left: the child where the value compares with the threshold, as ``Ensemble.comparison`` says.
    missing_left: a missing value goes to the left.
    values: (leaves,), what each leaf adds to ``output``.
    sets: split -> the numbers that go to the left, of one that has them in place of a threshold.
    """

    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    left: np.ndarray
    right: np.ndarray
    values: np.ndarray
    output: int = 0
    sets: Mapping[int, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of_nodes(
        cls,
        *,
        leaf: np.ndarray,
        feature: np.ndarray,
        threshold: np.ndarray,
        missing_left: np.ndarray,
        left: np.ndarray,
        right: np.ndarray,
        value: np.ndarray,
        output: int = 0,
        sets: Mapping[int, np.ndarray] | None = None,
    ) -> Tree:
        """Return a tree kept as one list of splits and leaves, (nodes,) each, the root first.

        ``leaf``: which of them are leaves. ``sets``: by node.
        """
        place = np.where(leaf, ~(np.cumsum(leaf) - 1), np.cumsum(~leaf) - 1)
        splits = ~leaf
        return cls(
            feature=feature[splits].astype(np.int64),
            threshold=threshold[splits],
            missing_left=missing_left[splits].astype(bool),
            left=place[left[splits].astype(np.int64)],
            right=place[right[splits].astype(np.int64)],
            values=value[leaf],
            output=output,
            sets={int(place[node]): members for node, members in (sets or {}).items()},
        )


def set_bits(words: np.ndarray) -> np.ndarray:
    """Return a mask of the bits that are set in 32-bit words, the lowest bit first."""
    bits = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")
    return bits.astype(bool)


@dataclass(frozen=True)
class Ensemble:
    """Trees, and what becomes of their sums.

    base: (outputs,), to which the trees' values are added.
    link: makes answers of the sums.
    compared, added: the floats in which the library compares values and adds leaves.
    missing: the number that stands for a missing value, beside NaN.
    whole: features of which only the whole part counts, of ``width`` in all.
    """

    trees: list[Tree]
    base: np.ndarray
    link: Link
    compared: Dtype
    added: Dtype
    comparison: Comparison = "at most"
    factor: float = 1.0
    missing: float | None = None
    whole: tuple[int, ...] = ()
    width: int = 0
