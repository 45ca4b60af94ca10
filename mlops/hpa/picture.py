"""A simulation as a picture: load, replicas, CPU, and what became of the requests, one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from mlops.hpa.results import quantile
from mlops.hpa.simulation import MINUTE, Timeline
from mlops.rollout.judge import Slo


def write(file: Path, timelines: Sequence[Timeline], slo: Slo) -> None:
    """SVG or PNG, by the file's name."""
    figure = Figure(figsize=(10, 9), layout="constrained")
    load, replicas, cpu, shed, latency = figure.subplots(5, 1, sharex=True)
    minutes = np.arange(len(timelines[0].rate)) / MINUTE
    load.plot(minutes, timelines[0].rate, color="#555555")
    for timeline in timelines:
        (drawn,) = replicas.step(minutes, timeline.replicas, where="post", label=timeline.name)
        colour = drawn.get_color()
        replicas.step(minutes, timeline.ready, where="post", color=colour, linestyle=":")
        cpu.plot(minutes, timeline.utilisation, color=colour)
        shed.plot(minutes, 100 * timeline.shed, color=colour)
        p95 = [quantile(timeline, 0.95, slice(minute, minute + 1)) for minute in range(len(timeline.later))]
        latency.step(np.arange(len(p95)), p95, where="post", color=colour)
    latency.axhline(slo.p95_ms, color="#999999", linewidth=0.8, linestyle="--")
    shed.axhline(100 * slo.error_rate, color="#999999", linewidth=0.8, linestyle="--")
    load.set_ylabel("requests/s")
    replicas.set_ylabel("replicas\n(dotted: ready)")
    cpu.set_ylabel("CPU, % of\nthe request")
    shed.set_ylabel("shed, %")
    latency.set(ylabel="P95, ms", xlabel="minutes")
    for axes in (load, replicas, cpu, shed, latency):
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    if len(timelines) > 1:
        replicas.legend(fontsize="small")
    file.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context({"svg.hashsalt": "simulate"}):  # the same picture each time
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
