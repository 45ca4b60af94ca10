"""Evaluates the log alerts on shares of infrastructure/ on arrays, as Azure would: every few
minutes, on lines that are late, until the condition has not been met for some looks.

Windows, margins and thresholds are read from the queries and from alerts.tf; a test compares what
is computed of them with the queries themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from deploy.alert_firing import MINUTE, SPANS
from deploy.alert_names import LOG_ALERTS
from deploy.promql import Traffic, minutes
from kusto.parser import QUERIES

LET = re.compile(r"^let (\w+) = ([\d.]+[mhd]?);", re.MULTILINE)


def lets(query: str) -> dict[str, str]:
    """Return the constants of a query of the pack for managed endpoints."""
    return dict(LET.findall((QUERIES / "managed" / f"{query}.kql").read_text()))


def looks_until_resolved(every: int) -> int:
    """Return how often the condition must not be met, by minutes between looks.

    https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-overview#stateful-alerts
    """
    return 10 if every == 1 else 3 if every <= 15 else 2


def bound(bad: np.ndarray, of: np.ndarray, margin: float) -> np.ndarray:
    """Return the least share that so many prove; 0 of none."""
    return np.maximum(np.sqrt(bad) - margin, 0) ** 2 / np.maximum(of, 1)


def measured(
    counts: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], name: str
) -> np.ndarray:
    """Return what the alert compares with its threshold. ``counts``: all and bad ones of the long
    window, then of the short one."""
    alert = LOG_ALERTS[name]
    constants = lets(alert["query"])
    every, bad, recent, recent_bad = counts
    margin = float(constants["Margin"])
    long = bound(bad, every, margin)
    recent_share = recent_bad / np.maximum(recent, 1)
    if alert["column"] == "Burn":
        return np.minimum(long, recent_share) / float(constants["Allowed"])
    allowed = alert["above"] / 100
    short = bound(recent_bad, recent, float(constants["ShortMargin"]))
    return 100 * np.maximum(np.where(recent_share > allowed, long, 0), short)


def sums(
    traffic: Traffic, name: str, at: np.ndarray, late: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the counts of both windows when the alert looks. ``at``: minutes; ``late``: minutes
    that a line takes."""
    constants = lets(LOG_ALERTS[name]["query"])
    long = minutes(constants.get("LongWindow") or constants["Window"])
    short, most_late = minutes(constants["ShortWindow"]), minutes(constants["Late"])
    slow = {"SlowAtLeast200": traffic.over_200ms, "SlowAtLeast500": traffic.over_500ms}
    column = LOG_ALERTS[name]["column"]
    bad = slow.get(column, traffic.failed)
    every = traffic.ok if column in slow else traffic.ok + traffic.failed
    arrived = np.maximum.accumulate(np.where(every > 0, np.arange(1, every.shape[-1] + 1), 0), -1)
    totals = [
        np.concatenate([np.zeros((*counts.shape[:-1], 1)), np.cumsum(counts, -1)], -1)
        for counts in (every, bad)
    ]
    seen = np.maximum(at - late, 0)
    newest = np.concatenate([np.zeros((*every.shape[:-1], 1), int), arrived], -1)[..., seen]
    begins = np.maximum(np.maximum(newest, at - most_late) - short, 0)
    begins = np.minimum(begins, seen)
    first = np.minimum(np.maximum(at - long, 0), seen)
    total, bad_total = totals
    return (
        total[..., seen] - total[..., first],
        bad_total[..., seen] - bad_total[..., first],
        total[..., seen] - np.take_along_axis(total, begins, -1),
        bad_total[..., seen] - np.take_along_axis(bad_total, begins, -1),
    )


def firing(
    traffic: Traffic, name: str, *, late: int = 2, phase: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return when the alert looks, in minutes, and whether it fires then. ``phase``: the minute of
    its first look."""
    alert: Mapping[str, str] = LOG_ALERTS[name]
    every = SPANS[alert["every"]] // MINUTE
    at = np.arange(phase, traffic.ok.shape[-1] + 1, every)
    met = measured(sums(traffic, name, at, late), name) > float(alert["above"])
    kept = looks_until_resolved(every)
    fires = met.copy()
    for ago in range(1, kept):
        fires[..., ago:] |= met[..., :-ago]
    return at, fires
