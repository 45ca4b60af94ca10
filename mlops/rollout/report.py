"""Writes a rollout's journal as one self-contained HTML page: traffic, latency, errors, and each
decision."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2

from mlops import output
from mlops.rollout.journal import Event
from mlops.rollout.progress import line_of
from mlops.slo import Slo
from mlops.svg import svg

NEW_COLOUR, OLD_COLOUR, BAD_COLOUR = "#2e8b57", "#1f6fb4", "#c0392b"
SIDES = (("old", OLD_COLOUR), ("new", NEW_COLOUR))

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="generator" content="{{ mark }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}: {{ outcome }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; }
h1 { font-size: 1.5rem; } table { border-collapse: collapse; width: 100%; font-size: 0.85rem; }
td { border-top: 1px solid #ddd; padding: 0.2rem 0.6rem; vertical-align: top; }
svg { width: 100%; height: auto; }
.promoted, .held { color: {{ good }}; } .back { color: {{ bad }}; }
time { white-space: nowrap; color: #666; }
</style>
<h1>{{ title }}: <span class="{{ 'promoted' if fine else 'back' }}">{{ outcome }}</span></h1>
<p>{{ reason }}{% if left %} Left: {{ left }}.{% endif %}</p>
{% if unchecked %}<p class="back">{{ unchecked }}</p>
{% endif %}{% if predictions %}<p>{{ predictions }}.</p>
{% endif %}{{ picture | safe }}
<table>
{% for at, line, kind in lines %}<tr class="{{ kind }}"><td><time>{{ at }}</time></td>
<td>{{ line }}</td></tr>
{% endfor %}</table>
</html>
"""


def write(events: Sequence[Event], file: Path, slo: Slo) -> None:
    """Write the page. ``events``: those of one rollout, "started" first."""
    begun, ended = events[0], events[-1]
    over, unchecked = ended["event"] == "ended", begun["plan"].get("unchecked")
    page = jinja2.Environment(autoescape=True).from_string(PAGE)
    text = page.render(
        mark=output.MARK,
        title=f"{begun['endpoint']}: {begun['plan']['old']} to {begun['plan']['new']}",
        outcome=ended["outcome"] if over else "not ended",
        fine=over and ended["outcome"] in ("promoted", "held"),
        reason=f"{ended['reason'][:1].upper()}{ended['reason'][1:]}." if over else "",
        left=", ".join(ended["left"]) if over else "",
        unchecked=f"Not checked: {', '.join(unchecked)}." if unchecked else "",
        predictions=_predictions(events),
        picture=_picture(events, slo),
        lines=[(_time(event["at"]), line_of(event), event["event"]) for event in events],
        good=NEW_COLOUR,
        bad=BAD_COLOUR,
    )
    output.write(file, text)


def _predictions(events: Sequence[Event]) -> str:
    """Return what the last look says of the predictions: also where a few rows may differ."""
    texts = [
        finding["text"]
        for event in events
        if event["event"] == "look"
        for finding in event["findings"]
        if finding["check"] == "predictions" and finding["standing"] != "unchecked"
    ]
    return f"{texts[-1][:1].upper()}{texts[-1][1:]}" if texts else ""


def _picture(events: Sequence[Event], slo: Slo) -> str:
    """Return the plots as SVG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 8), layout="constrained")
    traffic, latency, errors = figure.subplots(3, 1, sharex=True)
    start = events[0]["at"]
    _draw_traffic(traffic, events, start)
    looks = [event for event in events if event["event"] == "look"]
    times = [event["at"] - start for event in looks]
    for side, colour in SIDES:
        for name, style in (("p50_ms", ":"), ("p95_ms", "-"), ("p99_ms", "--")):
            values = [
                event[side][name] if event[side][name] is not None else float("nan")
                for event in looks
            ]
            latency.plot(times, values, style, color=colour, label=f"{side} {name[:3].upper()}")
        failed = [100 * event[side]["failed"] / max(event[side]["requests"], 1) for event in looks]
        errors.plot(times, failed, color=colour, label=side)
    for limit in (slo.p95_ms, slo.p99_ms):
        latency.axhline(limit, color=BAD_COLOUR, linewidth=0.8)
    errors.axhline(100 * slo.error_rate, color=BAD_COLOUR, linewidth=0.8)
    latency.set(ylabel="latency, ms (red: SLO)", yscale="log")
    errors.set(ylabel="errors, % (red: SLO)", xlabel="seconds")
    for axes in (latency, errors):
        axes.legend(fontsize="small", loc="upper left")
    for event in events:
        if event["event"] in ("proven", "back"):
            for axes in (traffic, latency, errors):
                colour = BAD_COLOUR if event["event"] == "back" else "#999999"
                axes.axvline(event["at"] - start, color=colour, linewidth=0.8, linestyle=":")
    return svg(figure)


def _draw_traffic(axes: Any, events: Sequence[Event], start: float) -> None:
    """Plot the new deployment's share, live and mirrored."""
    new = events[0]["plan"]["new"]
    changes = [event for event in events if "share" in event]
    times = [0.0, *(event["at"] - start for event in changes), events[-1]["at"] - start]
    live = [0, *(event["share"] for event in changes)]
    mirrored = [0, *(event["mirror"].get(new, 0) for event in changes)]
    axes.fill_between(
        times, [*live, live[-1]], step="post", color=NEW_COLOUR, alpha=0.4, label="live"
    )
    axes.step(
        times,
        [*mirrored, mirrored[-1]],
        where="post",
        color=NEW_COLOUR,
        linestyle="--",
        label="mirrored",
    )
    axes.set(ylabel=f"{new}'s share, %", ylim=(0, 105))
    axes.legend(fontsize="small", loc="upper left")


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")
