"""Simpler estimators with the same answers, for those that skl2onnx does not convert.

An equivalent is only what is converted: the answers are compared with the original's, so one that
differs is not used.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from mlops.equivalents import columns, dense, finite_trees, linear, wrappers
from mlops.equivalents.subclasses import without_subclass

EQUIVALENTS: dict[type, Callable[[Any], Any]] = {
    **columns.EQUIVALENTS,
    **dense.EQUIVALENTS,
    **finite_trees.EQUIVALENTS,
    **linear.EQUIVALENTS,
    **wrappers.EQUIVALENTS,
}
"""Class -> a function that returns an object's equivalent, or None if it needs none."""


def equivalent(thing: Any) -> Any | None:
    """Return an equivalent, or None if there is none. An equivalent may have one itself."""
    with suppress(Exception):  # it is not fitted, or by another version of scikit-learn
        return EQUIVALENTS.get(type(thing), without_subclass)(thing)
    return None
