"""Compares data with the sample that a model was packaged with, for ``mlops drift``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from azureml_scoring.errors import StartupError
from azureml_scoring.models.baseline import (
    DRIFTED_PSI,
    MIN_BASELINE_ROWS,
    MIN_JUDGED_ROWS,
    WATCH_PSI,
    Baseline,
)
from azureml_scoring.models.files.manifest import REPACKAGE, Manifest
from mlops import drift_data


@dataclass(frozen=True)
class FeatureDrift:
    """The drift of one feature. ``now``: rows per bin, like ``baseline.counts``."""

    baseline: Baseline
    now: np.ndarray

    @property
    def psi(self) -> float:
        return self.baseline.psi(self.now)

    @property
    def verdict(self) -> str:
        return (
            "drifted" if self.psi > DRIFTED_PSI else "watch" if self.psi > WATCH_PSI else "stable"
        )


def compare(artifact: Path, files: Iterable[Path]) -> list[FeatureDrift]:
    """Return the features' drift, the largest first. Raises StartupError."""
    packaged = Manifest.read(artifact)
    baselines = packaged.baselines
    if not baselines:
        raise StartupError(
            f"{artifact} says nothing of the data it was trained on; {REPACKAGE}, with a sample "
            f"of at least {MIN_BASELINE_ROWS} rows."
        )
    names = [baseline.name for baseline in baselines]
    counted = [
        [baseline.count(column) for baseline, column in zip(baselines, columns, strict=True)]
        for columns in (
            drift_data.feature_columns(file, packaged.contract.features, names) for file in files
        )
    ]
    drifts = [
        FeatureDrift(baseline, np.sum(counts, axis=0))
        for baseline, *counts in zip(baselines, *counted, strict=True)
    ]
    return sorted(drifts, key=lambda drift: -drift.psi)


def table(drifts: Sequence[FeatureDrift]) -> str:
    """Return the drift of each feature as text."""
    width = max(len("feature"), *(len(drift.baseline.name) for drift in drifts))
    rows = int(drifts[0].now.sum())
    lines = [
        f"{drift.baseline.name:{width}}  {drift.psi:7.3f}  {drift.verdict}" for drift in drifts
    ]
    if rows < MIN_JUDGED_ROWS:
        lines.append(
            f"Of {rows:,} rows only: chance alone may have moved them. Give "
            f"{MIN_JUDGED_ROWS:,} or more."
        )
    return "\n".join([f"{'feature':{width}}      PSI  of {rows:,} rows", *lines])
