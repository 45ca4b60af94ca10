"""Draws goodput over offered load."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from mlops.load.goodput import Goodput
from mlops.load.picture import BLUE, GREY, RED, VIOLET
from mlops.svg import picture

LIMIT_COLOURS = (BLUE, VIOLET)


def draw(points: Sequence[Goodput]) -> bytes:
    """Draw the goodput for each of its limits, and the share of the requests refused, as SVG."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for limit_ms, colour in zip(points[0].within, LIMIT_COLOURS, strict=True):
        plot(axes, points, limit_ms, color=colour, label=f"answered within {limit_ms:g} ms")
    axes.plot(
        [point.load for point in points],
        [point.refused for point in points],
        color=RED,
        linewidth=1,
        label="refused, of all requests",
    )
    plot_ideal(axes, max(point.load for point in points))
    axes.legend(fontsize="small")
    axes.set_title(f"goodput / capacity, which is {points[0].capacity:.1f} answers a second")
    return picture(figure, "svg")


def plot(axes: Any, points: Sequence[Goodput], limit_ms: float, **line: Any) -> None:
    """Plot the goodput within ``limit_ms``, as a share of capacity."""
    loads, shares = zip(*((point.load, point.within[limit_ms]) for point in points), strict=True)
    axes.plot(loads, shares, marker="o", markersize=3, **line)


def plot_ideal(axes: Any, most_load: float) -> None:
    """Plot what is possible, up to ``most_load``, and label the axes."""
    axes.plot(
        [0, 1, most_load], [0, 1, 1], color=GREY, linestyle="--", linewidth=1, label="the ideal"
    )
    axes.set(xlabel="offered load / capacity", ylim=(0, None))
