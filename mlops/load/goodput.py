"""Goodput: how much a server answers in time, as a share of its capacity, at a load that may be far
beyond it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mlops.load.generator import REFUSALS
from mlops.load.run import LoadPlan, SentRequest, run
from mlops.load.stages import Stage

CLOSED_LOOP_CONNECTIONS = (4, 64)
"""Capacity is the best of these: few connections suit work on a processor, many suit waiting."""

CLIENT_TIMEOUT_S = 5.0
PATIENCE_S = 1.0
"""Answers that take longer than this after a load are not worth waiting for: none is in time."""

OPEN_LOOP_CONNECTIONS = 4000


@dataclass(frozen=True)
class Goodput:
    """What became of the second half of a load.

    ``load``: offered, as a multiple of ``capacity``, in answers a second. ``within``: by limit in
    milliseconds, the answers that were in time, divided by capacity. ``refused``: share of the
    requests. Times are NaN where no such answer came.
    """

    load: float
    capacity: float
    within: dict[float, float]
    refused: float
    p95_ms: float
    refusal_p50_ms: float
    refusal_p99_ms: float


def capacity(plan: LoadPlan, seconds: float, connections: Sequence[int]) -> float:
    """Measure how many answers a second the server gives in closed loops of ``seconds`` each, the
    first quarter left out. Raises StartupError."""
    begins_s = seconds / 4
    rates = []
    for count in connections:
        closed = replace(plan, stages=(), closed_loop_s=seconds, connections=count)
        sent = run(closed).requests
        ends = [request.due_s + request.latency_ms / 1000 for request in sent if request.fine]
        rates.append(sum(begins_s <= end < seconds for end in ends) / (seconds - begins_s))
    return max(rates)


def overload_plan(plan: LoadPlan, stages: Sequence[Stage]) -> LoadPlan:
    """Return ``plan`` with ``stages``, and clients as many and as impatient as in an overload."""
    return replace(
        plan,
        stages=stages,
        connections=OPEN_LOOP_CONNECTIONS,
        timeout_s=CLIENT_TIMEOUT_S,
        patience_s=PATIENCE_S,
    )


def goodput(
    sent: Sequence[SentRequest], stage: Stage, capacity: float, limits_ms: Sequence[float]
) -> Goodput:
    """Compute the goodput of a run's first stage, ``stage``."""
    half_s = stage.seconds / 2
    counted = [request for request in sent if half_s <= request.due_s < stage.seconds]
    answers = np.array([request.latency_ms for request in counted if request.fine])
    refusals = np.array([request.latency_ms for request in counted if request.status in REFUSALS])
    return Goodput(
        load=stage.rate / capacity,
        capacity=capacity,
        within={limit: int((answers <= limit).sum()) / half_s / capacity for limit in limits_ms},
        refused=len(refusals) / max(len(counted), 1),
        p95_ms=percentile(answers, 95),
        refusal_p50_ms=percentile(refusals, 50),
        refusal_p99_ms=percentile(refusals, 99),
    )


def percentile(values: np.ndarray, percent: float) -> float:
    """Return the percentile, NaN of nothing."""
    return float(np.percentile(values, percent)) if len(values) else float("nan")
