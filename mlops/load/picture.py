"""Draws a run: percentiles over time, the distribution of latencies, the rate, and the errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mlops.load.figures import UNAVAILABLE_STATUSES, Objectives
from mlops.load.run import SentRequest
from mlops.svg import svg

MAX_POINTS = 120
GREEN, BLUE, VIOLET, AMBER, RED, GREY = (
    "#2e8b57",
    "#1f6fb4",
    "#7a4fb5",
    "#d98a1f",
    "#c0392b",
    "#777777",
)
PERCENTILES = ((50, GREEN), (95, BLUE), (99, VIOLET))


def draw(requests: Sequence[SentRequest], objectives: Objectives) -> str:
    """Return the plots as SVG."""
    figure = Figure(figsize=(11, 8), layout="constrained")
    (latency, spread), (rate, outcomes) = figure.subplots(2, 2)
    due = np.array([request.due_s for request in requests])
    latencies = np.array([request.latency_ms for request in requests])
    width = max(1.0, np.ceil(due.max() / MAX_POINTS))
    bins = (due // width).astype(int)
    seconds = (np.arange(bins.max() + 1) + 0.5) * width
    _latency(latency, seconds, bins, latencies)
    _spread(spread, latencies)
    for axes, line in ((latency, latency.axhline), (spread, spread.axvline)):
        for limit, colour in ((objectives.p95_ms, BLUE), (objectives.p99_ms, VIOLET)):
            line(limit, color=colour, linewidth=1, linestyle="--")
        axes.set_title(f"{axes.get_title()} (dashed: SLO)", fontsize="medium")
    answered = ((due + latencies / 1000) // width).astype(int)
    for which, label, colour in ((bins, "due", GREY), (answered, "answered", BLUE)):
        counts = np.bincount(which, minlength=len(seconds))[: len(seconds)]
        rate.step(seconds, counts / width, where="mid", label=label, color=colour)
    rate.set_title("requests a second", fontsize="medium")
    _outcomes(outcomes, seconds, bins, requests)
    outcomes.axhline(100 * objectives.error_rate, color=GREY, linewidth=1, linestyle="--")
    for axes in (latency, rate, outcomes):
        axes.set(xlabel="seconds")
        axes.legend(fontsize="small", loc="upper left")
    for axes in (rate, outcomes):
        axes.set_ylim(bottom=0)
    return svg(figure)


def _latency(axes: Any, seconds: np.ndarray, bins: np.ndarray, latencies: np.ndarray) -> None:
    for percent, colour in PERCENTILES:
        values = [
            np.percentile(latencies[bins == place], percent) if (bins == place).any() else np.nan
            for place in range(len(seconds))
        ]
        axes.plot(seconds, values, color=colour, label=f"P{percent}")
    axes.set(yscale="log")
    axes.set_title("latency, ms", fontsize="medium")


def _spread(axes: Any, latencies: np.ndarray) -> None:
    edges = np.geomspace(max(latencies.min(), 0.01), max(latencies.max(), 0.02) * 1.01, 60)
    axes.hist(latencies, bins=edges, color=GREEN, alpha=0.7)
    axes.set(xscale="log", yscale="log", xlabel="latency, ms", ylabel="requests")
    axes.set_title("distribution of latencies", fontsize="medium")


def _outcomes(
    axes: Any, seconds: np.ndarray, bins: np.ndarray, requests: Sequence[SentRequest]
) -> None:
    """Plot errors as a share of the requests that were due."""
    kinds = {
        "no answer, or turned away": (
            RED,
            [not request.fine and request.status in UNAVAILABLE_STATUSES for request in requests],
        ),
        "wrong answer": (
            AMBER,
            [
                not request.fine and request.status not in UNAVAILABLE_STATUSES
                for request in requests
            ],
        ),
    }
    total = np.maximum(np.bincount(bins), 1)
    for label, (colour, chosen) in kinds.items():
        counts = np.bincount(bins, weights=np.array(chosen, float), minlength=len(seconds))
        axes.plot(seconds, 100 * counts / total, color=colour, label=label)
    axes.set_title("errors, % of requests (dashed: SLO)", fontsize="medium")
