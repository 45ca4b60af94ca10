"""Shows a rollout's events as lines in a terminal or a pipeline's log."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from mlops.rollout.journal import Event
from mlops.rollout.plan import Action, Step, not_checked

BAR_WIDTH = 20
"""Characters, for the new deployment's share."""


def follow(event: Event) -> None:
    """Print an event. In a terminal a look replaces the one before it."""
    line = line_of(event)
    at = datetime.fromtimestamp(event["at"], UTC).strftime("%H:%M:%S")
    if sys.stdout.isatty():
        click.echo(f"\r\x1b[K{at} {line}", nl=event["event"] != "look")
    else:
        click.echo(f"{at} {line}")


def line_of(event: Event) -> str:
    return LINES[event["event"]](event)


def _named(step: Mapping[str, Any]) -> str:
    return str(Step(Action(step["action"]), step["percent"]))


def _bar(percent: int) -> str:
    full = round(percent / 100 * BAR_WIDTH)
    return "·" * (BAR_WIDTH - full) + "█" * full


def _shares(shares: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {percent} %" for name, percent in shares.items())


def _mirrored(mirror: Mapping[str, int]) -> str:
    return f", mirrored to {_shares(mirror)}" if mirror else ""


def _side(who: str, figures: Mapping[str, Any]) -> str:
    latency = "" if figures["p95_ms"] is None else f", P95 {figures['p95_ms']:.1f} ms"
    return f"{who} {figures['requests']} requests, {figures['failed']} failed{latency}"


def _standing(findings: Sequence[Mapping[str, Any]]) -> str:
    unchecked = [
        f"; {f['check']} unchecked: {f['text']}" for f in findings if f["standing"] == "unchecked"
    ]
    waiting = [f["check"] for f in findings if f["standing"] not in ("fine", "unchecked")]
    return (f"not yet: {', '.join(waiting)}" if waiting else "all fine") + "".join(unchecked)


def _waived(plan: Mapping[str, Any]) -> str:
    return f"; {not_checked(plan['unchecked'])}" if plan.get("unchecked") else ""


def _ended(event: Event) -> str:
    left = f"; left: {', '.join(event['left'])}" if event["left"] else ""
    return f"{event['outcome']}: {event['reason']}{left}"


LINES: dict[str, Callable[[Event], str]] = {
    "started": lambda event: (
        f"{event['endpoint']}: {event['plan']['new']} after "
        f"{event['plan']['old']}{_waived(event['plan'])}"
    ),
    "step": lambda event: f"{_named(event['step'])} ...",
    "traffic": lambda event: (
        f"  [{_bar(event['share'])}] {_shares(event['live'])}{_mirrored(event['mirror'])}"
    ),
    "look": lambda event: (
        f"  {_side('new', event['new'])} | {_side('old', event['old'])} | "
        f"{_standing(event['findings'])}"
    ),
    "proven": lambda event: f"{_named(event['step'])}: proven",
    "back": lambda event: f"back to {_shares(event['live'])}: {event['reason']}",
    "trouble": lambda event: f"  the endpoint refuses, once more: {event['error']}",
    "ended": _ended,
}
