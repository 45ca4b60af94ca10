"""Judges which share of the requests had an event: failed, was refused, or took too long.

A breach is hardly ever chance, however often one looks, and not one pause or slow spell either
(significance.py, dependence.py).
"""

from __future__ import annotations

from mlops.rollout.dependence import BlockCounts
from mlops.rollout.finding import Finding, Standing
from mlops.rollout.rules import Rules
from mlops.rollout.significance import evidence, p_value


def objective(
    check: str,
    text: str,
    counts: BlockCounts,
    others: BlockCounts | None,
    limit: float,
    rules: Rules,
) -> Finding:
    """Judge whether the share of events is at most ``limit``. It is no breach if the old one's
    share is as large: to go back would not help."""
    standing = _within(counts, limit, rules)
    breach = standing is Standing.BREACH
    if breach and others is not None and higher(counts, others, rules) is Standing.FINE:
        return Finding(check, Standing.SUSPECT, f"{text}; the old one is no better")
    return Finding(check, standing, text)


def _within(counts: BlockCounts, limit: float, rules: Rules) -> Standing:
    """Judge whether the share of events is at most ``limit``."""
    if counts.blocks < max(rules.min_blocks, 1):
        return Standing.OPEN
    events, requests = counts.effective(counts.correlation())
    if evidence(events, requests, limit) >= 1 / rules.chance:
        return Standing.BREACH
    suspect = p_value(events, requests, limit) < rules.suspicion
    return Standing.SUSPECT if suspect else Standing.FINE


def higher(counts: BlockCounts, others: BlockCounts, rules: Rules) -> Standing:
    """Judge whether the share of events is at most the other's: of all events, these then have as
    large a share as of all requests.

    A spell that only one of the two had counts as if either might have had it. A small p-value is
    not suspect if there are so many events that a real difference would have shown.
    """
    if min(counts.blocks, others.blocks) < max(rules.min_blocks, 1):
        return Standing.OPEN
    correlation = max(counts.correlation(), others.correlation())
    events, requests = counts.effective(correlation)
    other_events, other_requests = others.effective(correlation)
    both, share = events + other_events, requests / (requests + other_requests)
    against = evidence(events, both, share)
    if against >= 1 / rules.chance:
        return Standing.BREACH
    suspect = against >= 1 and p_value(events, both, share) < rules.suspicion
    return Standing.SUSPECT if suspect else Standing.FINE
