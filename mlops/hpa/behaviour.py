"""Turns the replicas that the metrics ask for into those to have: stabilisation windows, then rate
policies, then minimum and maximum.

A port of ``pkg/controller/podautoscaler/horizontal.go`` of Kubernetes 1.36; tests compare it with
the original's answers. Times are seconds of one clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

DOWN_WINDOW_S = 300.0
"""The controller's ``--horizontal-pod-autoscaler-downscale-stabilization``."""


@dataclass(frozen=True)
class Policy:
    """A rate policy: ``value`` percent or pods may come or go within ``period`` seconds."""

    type: Literal["Percent", "Pods"]
    value: int
    period: float


@dataclass(frozen=True)
class ScalingRules:
    """The rules of one direction. ``window``: of stabilisation, in seconds. ``select``: the policy
    that counts: the one that allows the largest change, the smallest, or none."""

    policies: tuple[Policy, ...]
    window: float
    select: Literal["Max", "Min", "Disabled"] = "Max"


UP = ScalingRules((Policy("Pods", 4, 15), Policy("Percent", 100, 15)), window=0)
DOWN = ScalingRules((Policy("Percent", 100, 15),), window=DOWN_WINDOW_S)
"""Kubernetes' defaults for a direction, or a key of it, that ``behavior`` leaves out."""


@dataclass(frozen=True)
class Behaviour:
    up: ScalingRules = UP
    down: ScalingRules = DOWN


@dataclass(frozen=True)
class History:
    """What the controller remembers. ``recommendations``: times and the replicas that the metrics
    asked for. ``changes``: times and by how many replicas."""

    recommendations: tuple[tuple[float, int], ...] = ()
    changes: tuple[tuple[float, int], ...] = ()


def normalise(
    raw: int,
    current: int,
    history: History,
    now: float,
    *,
    low: int,
    high: int,
    behaviour: Behaviour | None,
) -> tuple[int, History]:
    """Return the replicas to have, and the history with this look in it.

    ``raw``: what the metrics ask for. Without ``behaviour`` the controller's older rule holds: up
    to twice as many, or four, at a time.
    """
    windows = (
        (0.0, DOWN_WINDOW_S) if behaviour is None else (behaviour.up.window, behaviour.down.window)
    )
    seen = history.recommendations or ((now, current),)
    wanted = _stabilised(raw, current, seen, now, *windows)
    if behaviour is None:
        wanted = min(wanted, max(2 * current, 4))
    elif wanted > current:
        wanted = min(wanted, max(current, _limit_up(behaviour.up, current, history.changes, now)))
    elif wanted < current:
        wanted = max(
            wanted, min(current, _limit_down(behaviour.down, current, history.changes, now))
        )
    recommendations = tuple(_younger((*seen, (now, raw)), now, max(*windows, 1.0)))
    return min(max(wanted, low), high), History(recommendations, history.changes)


def changed(history: History, now: float, by: int, behaviour: Behaviour | None) -> History:
    """Return the history after a change by ``by`` replicas."""
    if behaviour is None or not by:
        return history
    longest = max(
        policy.period for rules in (behaviour.up, behaviour.down) for policy in rules.policies
    )
    return History(history.recommendations, (*_younger(history.changes, now, longest), (now, by)))


def _stabilised(
    raw: int,
    current: int,
    seen: Iterable[tuple[float, int]],
    now: float,
    up_window: float,
    down_window: float,
) -> int:
    """Limit a rise to the lowest recommendation within ``up_window``, and a fall to the highest
    within ``down_window``."""
    seen = list(seen)
    lowest = min([raw, *(wanted for _, wanted in _younger(seen, now, up_window))])
    highest = max([raw, *(wanted for _, wanted in _younger(seen, now, down_window))])
    return min(max(current, lowest), highest)


def _limit_up(
    rules: ScalingRules, current: int, changes: Iterable[tuple[float, int]], now: float
) -> int:
    if rules.select == "Disabled":
        return current
    limits = []
    for policy in rules.policies:
        start = _at_period_start(policy, current, changes, now)
        more = (
            start + policy.value
            if policy.type == "Pods"
            else math.ceil(start * (1 + policy.value / 100))
        )
        limits.append(more)
    return max(limits) if rules.select == "Max" else min(limits)


def _limit_down(
    rules: ScalingRules, current: int, changes: Iterable[tuple[float, int]], now: float
) -> int:
    if rules.select == "Disabled":
        return current
    limits = []
    for policy in rules.policies:
        start = _at_period_start(policy, current, changes, now)
        fewer = (
            start - policy.value if policy.type == "Pods" else int(start * (1 - policy.value / 100))
        )
        limits.append(fewer)
    return min(limits) if rules.select == "Max" else max(limits)


def _at_period_start(
    policy: Policy, current: int, changes: Iterable[tuple[float, int]], now: float
) -> int:
    return current - sum(by for _, by in _younger(changes, now, policy.period))


def _younger(
    what: Iterable[tuple[float, int]], now: float, age: float
) -> Iterator[tuple[float, int]]:
    return ((when, value) for when, value in what if when > now - age)
