"""One look of the controller: what each metric asks for, the most of it, and what is done about
it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mlops.hpa.behaviour import Behaviour, History, normalise
from mlops.hpa.replicas import USUAL, NoMetrics, Pod, Tolerance, by_average_value, by_utilisation

SYNC = 15
"""Seconds from look to look; the controller's ``--horizontal-pod-autoscaler-sync-period``."""

Resource = Literal["cpu", "memory"]


@dataclass(frozen=True, kw_only=True)
class Autoscaler:
    """``utilisations``: targets in percent of the requests. ``in_flight``: KEDA's target for each
    replica."""

    low: int = 1
    high: int
    utilisations: Mapping[Resource, int] = field(default_factory=dict)
    in_flight: float | None = None
    behaviour: Behaviour | None = None
    tolerance: Tolerance = USUAL


def look(
    autoscaler: Autoscaler,
    current: int,
    pods: Mapping[Resource, Sequence[Pod]],
    in_flight: float,
    history: History,
    now: float,
) -> tuple[int, History]:
    """-> the replicas to have, and the history. ``pods``: by metric, for each has its own usage and
    request."""
    if not autoscaler.low <= current <= autoscaler.high:
        return min(max(current, autoscaler.low), autoscaler.high), history
    raw = _most(autoscaler, current, pods, in_flight)
    if raw is None:
        return current, history
    return normalise(
        raw,
        current,
        history,
        now,
        low=autoscaler.low,
        high=autoscaler.high,
        behaviour=autoscaler.behaviour,
    )


def _most(
    autoscaler: Autoscaler, current: int, pods: Mapping[Resource, Sequence[Pod]], in_flight: float
) -> int | None:
    """None where a metric is missing that might have kept replicas which the others would give
    up."""
    proposals, silent = [], False
    for name, target in autoscaler.utilisations.items():
        try:
            proposal = by_utilisation(
                pods[name], current, target, of_cpu=name == "cpu", tolerance=autoscaler.tolerance
            )
            proposals.append(proposal.replicas)
        except NoMetrics:
            silent = True
    if autoscaler.in_flight is not None:
        proposals.append(
            by_average_value(
                in_flight, current, autoscaler.in_flight, tolerance=autoscaler.tolerance
            )
        )
    if not proposals or (silent and max(proposals) < current):
        return None
    return max(proposals)
