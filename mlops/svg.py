"""Renders a matplotlib figure to bytes, the same each time and marked as ours."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import matplotlib

from mlops.output import MARK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METADATA = {"svg": {"Date": None, "Creator": MARK}, "png": {"Software": MARK}}


def picture(figure: Figure, kind: str) -> bytes:
    """Render the figure. ``kind``: svg or png."""
    drawn = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "mlops"}):
        figure.savefig(drawn, format=kind, metadata=METADATA[kind])
    return drawn.getvalue()


def svg(figure: Figure) -> str:
    """Render the figure as SVG to embed in a page."""
    _, tag, rest = picture(figure, "svg").decode().partition("<svg")
    return tag + rest
