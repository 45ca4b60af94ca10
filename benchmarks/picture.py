"""Bars as SVG, the longest first: a picture of a few lines needs no plotting library."""

from __future__ import annotations

from html import escape

HEIGHT, LEFT, WIDEST = 22, 250, 560
COLOURS = {True: "#0067b8", False: "#9aa5b1"}

Bar = tuple[str, float, bool]
"""Its label, its value, and whether it stands out."""


def bars(charts: dict[str, list[Bar]]) -> str:
    """``charts``: title -> bars."""
    lines, y = list[str](), 10
    for title, chart in charts.items():
        lines.append(f'<text x="10" y="{y + 16}" font-weight="bold">{escape(title)}</text>')
        y += 28
        for label, value, ours in sorted(chart, key=lambda bar: -bar[1]):
            width = max(2, WIDEST * value / max(bar[1] for bar in chart))
            size = f'width="{width:.0f}" height="{HEIGHT - 4}"'
            lines += [
                f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(label)}</text>',
                f'<rect x="{LEFT}" y="{y}" {size} fill="{COLOURS[ours]}"/>',
                f'<text x="{LEFT + width + 6:.0f}" y="{y + 15}">{value:,.0f}</text>',
            ]
            y += HEIGHT
        y += 14
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDEST + 90}" height="{y}"'
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
