"""How many replicas one metric asks for: Kubernetes' replica calculator.

After ``pkg/controller/podautoscaler/replica_calculator.go`` of Kubernetes 1.36, whose own answers
tests hold this to. Pods that are not ready, or have no metric, are never a reason to scale further
than the others ask for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

CPU_INITIALISATION = 300.0
"""Seconds; the controller's ``--horizontal-pod-autoscaler-cpu-initialization-period``."""

INITIAL_READINESS_DELAY = 30.0
"""Seconds; its ``--horizontal-pod-autoscaler-initial-readiness-delay``."""

METRIC_WINDOW = 30.0
"""Seconds that a sample of the metrics API is taken to cover."""


class NoMetrics(Exception):
    """The metric says nothing; the controller then never scales down."""


@dataclass(frozen=True)
class Tolerance:
    """By how much usage may miss its target, as a share of it, before anything is changed."""

    down: float = 0.1
    up: float = 0.1

    def within(self, ratio: float) -> bool:
        return 1.0 - self.down <= ratio <= 1.0 + self.up


USUAL = Tolerance()
"""The controller's ``--horizontal-pod-autoscaler-tolerance``."""


class PodPhase(StrEnum):
    """``DELETING`` is a pod that was told to stop, in whatever phase."""

    PENDING = "Pending"
    RUNNING = "Running"
    FAILED = "Failed"
    DELETING = "Deleting"


@dataclass(frozen=True, kw_only=True)
class Pod:
    """One pod as the controller sees it. Ages in seconds; usage and request in thousandths, of a
    core or of a byte.

    ``transition_age``: since the Ready condition last changed; ``usage``: None where there is no
    sample of it.
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
    """``utilisation``: percent of the requests, of the pods that count."""

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
    """For a Resource metric whose target is Utilization. ``target`` in percent. Raises
    NoMetrics."""
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
    """For an External metric whose target is AverageValue, as KEDA's are. ``target``: for each
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
    """What it uses of the processor then says nothing of its load."""
    if pod.age < CPU_INITIALISATION:
        return not pod.ready or pod.transition_age < pod.metric_age + METRIC_WINDOW
    return not pod.ready and pod.age - pod.transition_age < INITIAL_READINESS_DELAY


def _utilisation(samples: Iterable[tuple[int, int]]) -> int:
    """``samples``: usage and request."""
    usages, requests = [sum(column) for column in zip(*samples, strict=True)] or (0, 0)
    if not requests:
        raise NoMetrics("There are no metrics of pods that are ready.")
    return usages * 100 // requests
