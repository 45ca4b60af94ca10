"""Converters to ONNX that skl2onnx lacks, for its registry."""

from __future__ import annotations

from mlops.onnx_extensions import (
    bisections,
    chains,
    dummies,
    functions,
    gaps,
    imputers,
    isolation_forest,
    kernels,
    norms,
    outliers,
    polynomials,
    powers,
    selections,
    splines,
    steps,
    thresholds,
    tree_branches,
)

MODULES = (
    bisections,
    chains,
    dummies,
    functions,
    gaps,
    imputers,
    isolation_forest,
    kernels,
    norms,
    outliers,
    polynomials,
    powers,
    selections,
    splines,
    steps,
    thresholds,
    tree_branches,
)


def register() -> None:
    """Let skl2onnx find the converters. May be called again."""
    for module in MODULES:
        module.register()
