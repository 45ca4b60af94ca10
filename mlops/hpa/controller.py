"""One look of the controller: the replicas that each metric asks for, the highest of them, and the
replicas to have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mlops.hpa.behaviour import Behaviour, History, normalise
from mlops.hpa.replicas import USUAL, NoMetrics, Pod, Tolerance, by_average_value, by_utilisation

SYNC_S = 15
"""Time between looks; the controller's ``--horizontal-pod-autoscaler-sync-period``."""

Resource = Literal["cpu", "memory"]


@dataclass(frozen=True, kw_only=True)
class Autoscaler:
    """The settings of an autoscaler. ``low``, ``high``: replicas. ``utilisations``: targets in
    percent of what pods request. ``offered_load``: KEDA's target, as a share of what a
    replica can do."""

    low: int = 1
    high: int
    utilisations: Mapping[Resource, int] = field(default_factory=dict)
    offered_load: float | None = None
    behaviour: Behaviour | None = None
    tolerance: Tolerance = USUAL


def look(
    autoscaler: Autoscaler,
    current: int,
    pods: Mapping[Resource, Sequence[Pod]],
    offered_load: float,
    history: History,
    now: float,
) -> tuple[int, History]:
    """Return the replicas to have, and the history. ``pods``: by metric, since each has its own
    usage and request."""
    if not autoscaler.low <= current <= autoscaler.high:
        return min(max(current, autoscaler.low), autoscaler.high), history
    raw = _most(autoscaler, current, pods, offered_load)
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
    autoscaler: Autoscaler,
    current: int,
    pods: Mapping[Resource, Sequence[Pod]],
    offered_load: float,
) -> int | None:
    """Return the highest proposal; None if a missing metric might forbid the scaling down that the
    others ask for."""
    proposals, silent = [], False
    for name, target in autoscaler.utilisations.items():
        try:
            proposal = by_utilisation(
                pods[name], current, target, of_cpu=name == "cpu", tolerance=autoscaler.tolerance
            )
            proposals.append(proposal.replicas)
        except NoMetrics:
            silent = True
    if autoscaler.offered_load is not None:
        proposals.append(
            by_average_value(
                offered_load, current, autoscaler.offered_load, tolerance=autoscaler.tolerance
            )
        )
    if not proposals or (silent and max(proposals) < current):
        return None
    return max(proposals)
