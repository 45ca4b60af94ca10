"""Draws bar charts as SVG, without a plotting library."""

from __future__ import annotations

from html import escape

BAR_HEIGHT_PX, LABEL_WIDTH_PX, MAX_BAR_PX = 22, 250, 560
COLOURS = {True: "#0067b8", False: "#9aa5b1"}

Bar = tuple[str, float, bool]
"""Label, value, and whether the bar is highlighted."""


def bars(charts: dict[str, list[Bar]]) -> str:
    """Draw the charts, by title, each with its longest bar first."""
    lines, y = list[str](), 10
    for title, chart in charts.items():
        lines.append(f'<text x="10" y="{y + 16}" font-weight="bold">{escape(title)}</text>')
        y += 28
        for label, value, ours in sorted(chart, key=lambda bar: -bar[1]):
            bar_px = max(2, MAX_BAR_PX * value / max(bar[1] for bar in chart))
            size = f'width="{bar_px:.0f}" height="{BAR_HEIGHT_PX - 4}"'
            lines += [
                f'<text x="{LABEL_WIDTH_PX - 8}" y="{y + 15}" text-anchor="end">'
                f"{escape(label)}</text>",
                f'<rect x="{LABEL_WIDTH_PX}" y="{y}" {size} fill="{COLOURS[ours]}"/>',
                f'<text x="{LABEL_WIDTH_PX + bar_px + 6:.0f}" y="{y + 15}">{value:,.0f}</text>',
            ]
            y += BAR_HEIGHT_PX
        y += 14
    width = LABEL_WIDTH_PX + MAX_BAR_PX + 90
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}"'
    style = 'font-family="sans-serif" font-size="13"'
    return "\n".join(
        [
            f"{head} {style}>",
            '<rect width="100%" height="100%" fill="white"/>',
            *lines,
            "</svg>",
            "",
        ]
    )
