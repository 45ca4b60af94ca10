"""Draws a comparison: the distributions of latencies, and each difference with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mlops import output
from mlops.rollout.comparison import CONFIDENCE, ComparisonRow
from mlops.rollout.request_tally import RequestTally
from mlops.svg import picture
from mlops.traffic_blocks import LATENCY_RATIO


def write(file: Path, rows: Sequence[ComparisonRow], tallies: Mapping[str, RequestTally]) -> None:
    """Write the picture as SVG or PNG, by the file's name. ``tallies``: by deployment. Raises
    StartupError if the file must not be overwritten."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    spread, differences = figure.subplots(1, 2)
    for name, tally in tallies.items():
        counts = tally.histogram.sum(axis=0).cumsum()
        if counts.size and counts[-1]:
            spread.plot(LATENCY_RATIO ** np.arange(counts.size), counts / counts[-1], label=name)
    spread.set(xlabel="latency, ms", ylabel="share of requests that took no longer", xscale="log")
    spread.legend()
    known = [row for row in rows if not math.isnan(row.low)]
    for place, row in enumerate(reversed(known)):
        differences.plot([row.low, row.high], [place, place], color="#1f6fb4", linewidth=3)
        differences.plot([row.difference], [place], "o", color="#1f6fb4")
    differences.axvline(0, color="#999999", linewidth=0.8)
    differences.set_yticks(
        range(len(known)), [f"{row.what}, {row.unit}" for row in reversed(known)]
    )
    differences.set_title(f"difference, {CONFIDENCE:.0%} interval", fontsize="medium")
    output.write(file, picture(figure, file.suffix[1:]))
