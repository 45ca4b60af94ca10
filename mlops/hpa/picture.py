"""Draws a simulation: load, replicas, CPU, queues, shed requests and latency, one below the
other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from mlops.hpa.results import by_minute, within
from mlops.hpa.simulation import MINUTE, Timeline
from mlops.slo import Slo
from mlops.svg import picture


def draw(timelines: Sequence[Timeline], slo: Slo, kind: str) -> bytes:
    """Draw the picture. ``kind``: svg or png."""
    figure = Figure(figsize=(10, 10.5), layout="constrained")
    panels = load, replicas, cpu, waiting, shed, latency = figure.subplots(6, 1, sharex=True)
    minutes = np.arange(len(timelines[0].rate)) / MINUTE
    load.plot(minutes, timelines[0].rate, color="#555555")
    for timeline in timelines:
        (drawn,) = replicas.step(minutes, timeline.replicas, where="post", label=timeline.name)
        colour = drawn.get_color()
        replicas.step(minutes, timeline.ready, where="post", color=colour, linestyle=":")
        cpu.plot(minutes, timeline.utilisation, color=colour)
        waiting.plot(minutes, timeline.waiting, color=colour)
        shed.plot(minutes, 100 * timeline.shed, color=colour)
        p95 = by_minute(timeline, 0.95)
        latency.stairs(p95, baseline=None, color=colour)
        broken = np.flatnonzero(~within(timeline, slo))
        latency.plot(broken + 0.5, p95[broken], "x", color=colour)
    latency.axhline(slo.p95_ms, color="#999999", linewidth=0.8, linestyle="--")
    shed.axhline(100 * slo.error_rate, color="#999999", linewidth=0.8, linestyle="--")
    load.set_ylabel("requests/s")
    replicas.set_ylabel("replicas\n(dotted: ready)")
    cpu.set_ylabel("CPU, % of\nthe request")
    shed.set_ylabel("shed, %")
    waiting.set_ylabel("waiting")
    latency.set(ylabel="P95, ms\n(x: not in SLO)", xlabel="minutes")
    replicas.yaxis.get_major_locator().set_params(integer=True)
    for axes in panels:
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    if len(timelines) > 1:
        replicas.legend(fontsize="small")
    return picture(figure, kind)
