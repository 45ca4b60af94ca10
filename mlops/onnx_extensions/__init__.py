"""Converters to ONNX that skl2onnx lacks, for its registry."""

from __future__ import annotations

from mlops.onnx_extensions import (
    chains,
    functions,
    gaps,
    isolation_forest,
    outliers,
    thresholds,
    tree_branches,
)


def register() -> None:
    """Let skl2onnx find the converters. May be called again."""
    for module in (chains, functions, gaps, isolation_forest, outliers, thresholds, tree_branches):
        module.register()
