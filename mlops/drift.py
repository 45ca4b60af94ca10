"""Compares data with the sample that a model was packaged with, for ``mlops drift``."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from azureml_scoring.errors import StartupError
from azureml_scoring.models.baseline import MIN_BASELINE_ROWS, SURE_BASELINE_ROWS, Baseline
from azureml_scoring.models.drift_rule import (
    FILE_LEVEL,
    MIN_JUDGED_ROWS,
    Drift,
    common_bins,
    measure,
    pooled,
)
from azureml_scoring.models.files.manifest import REPACKAGE, Manifest
from mlops import drift_data


@dataclass(frozen=True)
class FeatureDrift:
    """The drift of one of ``columns`` features. ``now``: rows per bin, like ``baseline.counts``."""

    baseline: Baseline
    now: np.ndarray
    columns: int

    @property
    def drift(self) -> Drift:
        return measure(pooled(self.baseline, self.baseline.counts), pooled(self.baseline, self.now))

    @property
    def verdict(self) -> str:
        if not self.drift.judged:
            return "too few rows"
        return "drifted" if self.drift.drifted(self.columns, FILE_LEVEL) else "stable"

    @property
    def chance(self) -> float:
        return self.drift.chance(self.columns)


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
        FeatureDrift(baseline, np.sum(counts, axis=0), len(baselines))
        for baseline, *counts in zip(baselines, *counted, strict=True)
    ]
    return sorted(drifts, key=lambda drift: (-drift.drift.index, drift.chance))


def table(drifts: Sequence[FeatureDrift]) -> str:
    """Return the drift of each feature as text."""
    width = max(len("feature"), *(len(drift.baseline.name) for drift in drifts))
    rows, sample = int(drifts[0].now.sum()), sum(drifts[0].baseline.counts)
    lines = [f"{'feature':{width}}    drift   chance  of {rows:,} rows"]
    for drift in drifts:
        lines.append(
            f"{drift.baseline.name:{width}}  {drift.drift.index:7.3f}  {drift.chance:7.2g}  "
            f"{drift.verdict}{_by_what(drift)}"
        )
    if rows < MIN_JUDGED_ROWS:
        lines.append(f"{rows:,} rows are too few to judge by; give {MIN_JUDGED_ROWS:,} or more.")
    if sample < SURE_BASELINE_ROWS:
        lines.append(
            f"The model was packaged with {sample:,} rows, which show large drift only; package "
            f"it with {SURE_BASELINE_ROWS:,} or more."
        )
    return "\n".join(lines)


def bin_names(baseline: Baseline) -> list[str]:
    """Return a name for each bin."""
    if baseline.values is not None:
        groups = [f"others {place + 1}" for place in range(baseline.groups)]
        return [*baseline.values, *groups, "new", "missing"]
    bounds = baseline.bounds
    if not bounds:
        return ["any", "missing"]
    inner = [
        f"{high:.4g}" if np.nextafter(high, -np.inf) == low else f"{low:.3g} to {high:.3g}"
        for low, high in itertools.pairwise(bounds)
    ]
    return [f"≤ {bounds[0]:.3g}", *inner, f"> {bounds[-1]:.3g}", "missing"]


def _by_what(drift: FeatureDrift) -> str:
    """Name the bin whose share has changed most, of a column that has drifted."""
    if drift.verdict != "drifted":
        return _not_judged(drift.baseline)
    then, now = (np.array(counts) / sum(counts) for counts in (drift.baseline.counts, drift.now))
    most = int(np.argmax(np.abs(now - then)))
    name = bin_names(drift.baseline)[most]
    return f": {name} was {then[most]:.1%} of the rows and is {now[most]:.1%}"


def _not_judged(baseline: Baseline) -> str:
    """Say so if the values of a column can't tell drift: ids, free texts, dates."""
    many = common_bins(baseline).sum() < 2 and not baseline.known
    unknown = baseline.groups == 1 if baseline.values is not None else not baseline.bounds
    return " (ids, free text or dates: only missing values are judged)" if many and unknown else ""
