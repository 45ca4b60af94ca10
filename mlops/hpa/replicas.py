"""Kubernetes' replica calculator: how many replicas one metric asks for.

A port of ``pkg/controller/podautoscaler/replica_calculator.go`` of Kubernetes 1.36; tests compare
it with the original's answers. Pods that are not ready, or have no metric, never make it scale
further than the others ask for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

CPU_INITIALISATION_S = 300.0
"""The controller's ``--horizontal-pod-autoscaler-cpu-initialization-period``."""

INITIAL_READINESS_DELAY_S = 30.0
"""The controller's ``--horizontal-pod-autoscaler-initial-readiness-delay``."""

METRIC_WINDOW_S = 30.0
"""Time that a sample of the metrics API covers."""


class NoMetrics(Exception):
    """The metric has no samples, so the controller does not scale down."""


@dataclass(frozen=True)
class Tolerance:
    """Shares of the target by which usage may miss it without a change."""

    down: float = 0.1
    up: float = 0.1

    def within(self, ratio: float) -> bool:
        return 1.0 - self.down <= ratio <= 1.0 + self.up


USUAL = Tolerance()
"""The controller's ``--horizontal-pod-autoscaler-tolerance``."""


class PodPhase(StrEnum):
    """A pod's phase. ``DELETING``: it was told to stop, in whatever phase."""

    PENDING = "Pending"
    RUNNING = "Running"
    FAILED = "Failed"
    DELETING = "Deleting"


@dataclass(frozen=True, kw_only=True)
class Pod:
    """One pod as the controller sees it. Ages in seconds; usage and request in thousandths, of a
    core or of a byte.

    ``transition_age``: since the Ready condition last changed. ``usage``: None without a sample.
    """

    phase: PodPhase = PodPhase.RUNNING
    ready: bool = True
    age: float
    transition_age: float
    metric_age: float = 0.0
    usage: int | None
    request: int


@dataclass(frozen=True)
class Proposal:
    """What a metric asks for. ``utilisation``: of the pods that count, in percent of what they
    request."""

    replicas: int
    utilisation: int


@dataclass
class _Groups:
    counted: list[Pod] = field(default_factory=list)
    unready: list[Pod] = field(default_factory=list)
    missing: list[Pod] = field(default_factory=list)


def by_utilisation(
    pods: Sequence[Pod], current: int, target: int, *, of_cpu: bool, tolerance: Tolerance = USUAL
) -> Proposal:
    """Compute a Resource metric whose target is Utilization, in percent. Raises NoMetrics."""
    groups = _grouped(pods, of_cpu=of_cpu)
    samples = [(pod.usage or 0, pod.request) for pod in groups.counted]
    utilisation = _utilisation(samples)
    ratio = utilisation / target
    up_with_unready = bool(groups.unready) and ratio > 1
    if not groups.missing and not up_with_unready:
        replicas = current if tolerance.within(ratio) else math.ceil(ratio * len(samples))
        return Proposal(replicas, utilisation)
    if ratio < 1:
        samples += [(pod.request * max(100, target) // 100, pod.request) for pod in groups.missing]
    elif ratio > 1:
        samples += [(0, pod.request) for pod in groups.missing + groups.unready]
    then = _utilisation(samples) / target
    if tolerance.within(then) or (ratio < 1 < then) or (then < 1 < ratio):
        return Proposal(current, utilisation)
    replicas = math.ceil(then * len(samples))
    contradicts = replicas > current if then < 1 else replicas < current
    return Proposal(current if contradicts else replicas, utilisation)


def by_average_value(
    total: float, current: int, target: float, *, tolerance: Tolerance = USUAL
) -> int:
    """Compute an External metric whose target is AverageValue, as KEDA's are. ``target``: per
    replica."""
    return (
        current
        if current and tolerance.within(total / (target * current))
        else math.ceil(total / target)
    )


def _grouped(pods: Sequence[Pod], *, of_cpu: bool) -> _Groups:
    groups = _Groups()
    for pod in pods:
        if pod.phase in (PodPhase.DELETING, PodPhase.FAILED):
            continue
        if pod.phase == PodPhase.PENDING:
            groups.unready.append(pod)
        elif pod.usage is None:
            groups.missing.append(pod)
        elif of_cpu and _is_starting(pod):
            groups.unready.append(pod)
        else:
            groups.counted.append(pod)
    return groups


def _is_starting(pod: Pod) -> bool:
    """True if the pod's CPU usage still comes from its start, not from requests."""
    if pod.age < CPU_INITIALISATION_S:
        return not pod.ready or pod.transition_age < pod.metric_age + METRIC_WINDOW_S
    return not pod.ready and pod.age - pod.transition_age < INITIAL_READINESS_DELAY_S


def _utilisation(samples: Iterable[tuple[int, int]]) -> int:
    """Return the utilisation of ``samples`` of usage and request. Raises NoMetrics."""
    usages, requests = [sum(column) for column in zip(*samples, strict=True)] or (0, 0)
    if not requests:
        raise NoMetrics("There are no metrics of pods that are ready.")
    return usages * 100 // requests
