"""A matplotlib figure as SVG to put into a page."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def svg(figure: Figure) -> str:
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    _, tag, rest = drawn.getvalue().partition("<svg")
    return tag + rest
