"""Draws drift: how far each feature has moved, and the most drifted ones beside their baselines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from azureml_scoring.models.drift_rule import MIN_DRIFT
from mlops import output
from mlops.drift import FeatureDrift, bin_names
from mlops.svg import picture

MAX_FEATURES = 20
DETAILED_FEATURES = 3
COLOURS = {"stable": "#2e7d32", "too few rows": "#777777", "drifted": "#c62828"}


def write(file: Path, drifts: Sequence[FeatureDrift]) -> None:
    """Write SVG or PNG, by the file's name.

    Raises StartupError if the file must not be overwritten.
    """
    with matplotlib.rc_context({"text.parse_math": False}):  # print a "$" in a name as it is
        _write(file, drifts)


def _write(file: Path, drifts: Sequence[FeatureDrift]) -> None:
    shown, closer = drifts[:MAX_FEATURES], drifts[:DETAILED_FEATURES]
    figure = Figure(
        figsize=(11, 2.5 + 0.3 * max(len(shown), 2 * len(closer))), layout="constrained"
    )
    grid = figure.add_gridspec(len(closer), 2)
    _indices(figure.add_subplot(grid[:, 0]), shown)
    for place, drift in enumerate(closer):
        _bins(figure.add_subplot(grid[place, 1]), drift, legend=place == 0)
    output.write(file, picture(figure, file.suffix.lower()[1:]))


def _indices(axes: Axes, drifts: Sequence[FeatureDrift]) -> None:
    names = [drift.baseline.name for drift in drifts][::-1]
    axes.barh(
        names,
        [drift.drift.index for drift in drifts][::-1],
        color=[COLOURS[d.verdict] for d in drifts][::-1],
    )
    axes.axvline(MIN_DRIFT, color="#777777", linewidth=0.8, linestyle="--")
    axes.set_xlabel("population stability index beyond chance")


def _bins(axes: Axes, drift: FeatureDrift, *, legend: bool) -> None:
    then, now = (
        np.array(counts) / max(sum(counts), 1)
        for counts in (drift.baseline.counts, drift.now.tolist())
    )
    places = np.arange(len(then))
    axes.bar(places - 0.2, then, 0.4, label="in training", color="#9e9e9e")
    axes.bar(places + 0.2, now, 0.4, label="now", color=COLOURS[drift.verdict])
    axes.set_xticks(places, bin_names(drift.baseline), rotation=30, ha="right", fontsize="x-small")
    axes.set_title(drift.baseline.name, fontsize="medium")
    if legend:
        axes.legend(fontsize="small")
