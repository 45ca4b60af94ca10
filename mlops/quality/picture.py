"""Draws calibration: what came true, by what was predicted."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from mlops import output
from mlops.quality.calibration import Calibration
from mlops.quality.intervals import STANDARD_ERRORS
from mlops.svg import picture

COLOUR = "#1565c0"


def write(file: Path, curve: Calibration) -> None:
    """Write SVG or PNG, by the file's name.

    Raises StartupError if the file must not be overwritten.
    """
    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.add_subplot()
    ends = [
        min(curve.predicted.min(), curve.happened.min()),
        max(curve.predicted.max(), curve.happened.max()),
    ]
    axes.plot(ends, ends, color="#777777", linewidth=0.8, linestyle="--", label="calibrated")
    axes.errorbar(
        curve.predicted,
        curve.happened,
        STANDARD_ERRORS * curve.errors,
        fmt="o-",
        color=COLOUR,
        capsize=3,
        label="95 % interval of a bin",
    )
    axes.set_xlabel("predicted, mean of a bin")
    axes.set_ylabel("came true, mean of a bin")
    axes.legend(fontsize="small")
    with matplotlib.rc_context({"text.parse_math": False}):
        output.write(file, picture(figure, file.suffix.lower()[1:]))
