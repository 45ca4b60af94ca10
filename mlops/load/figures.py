"""The figures of a run: percentiles, errors and availability, and whether the objectives held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlops.load.run import SentRequest
from mlops.slo import Slo

UNAVAILABLE_STATUSES = frozenset({0, 408, 429, 502, 503, 504})
"""The service turned the request away, or gave no answer (0)."""


@dataclass(frozen=True)
class Objectives(Slo):
    """The SLO, and the ``availability``: share of the requests that the service answered."""

    availability: float = 0.999


@dataclass(frozen=True)
class Figures:
    """The figures of some requests. Times are counted from when each request was due. ``rate``:
    answers a second."""

    requests: int
    rate: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    worst_ms: float
    error_rate: float
    availability: float


@dataclass(frozen=True)
class ObjectiveCheck:
    """One objective. ``measured`` and ``limit`` are in ``unit``."""

    objective: str
    measured: float
    limit: float
    unit: str
    holds: bool

    def __str__(self) -> str:
        sign = ">" if self.objective == "availability" else "<"
        unit = "" if self.unit == "%" else " "
        limit = f"{sign} {self.limit:g}{unit}{self.unit}"
        return f"{self.objective} {self.measured:.4g}{unit}{self.unit} ({limit})"


def figures_of(requests: Sequence[SentRequest]) -> Figures:
    """Compute the figures of ``requests``, which must not be empty."""
    latencies = np.array([request.latency_ms for request in requests])
    p50, p95, p99 = (
        float(percentile)
        for percentile in np.percentile(latencies, (50, 95, 99), method="inverted_cdf")
    )
    due = np.array([request.due_s for request in requests])
    elapsed = float((due + latencies / 1000).max() - due.min())
    return Figures(
        requests=len(requests),
        rate=len(requests) / max(elapsed, 1e-9),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        worst_ms=float(latencies.max()),
        error_rate=sum(not request.fine for request in requests) / len(requests),
        availability=sum(request.status not in UNAVAILABLE_STATUSES for request in requests)
        / len(requests),
    )


def checks(figures: Figures, objectives: Objectives) -> list[ObjectiveCheck]:
    below = (
        ("P95", figures.p95_ms, objectives.p95_ms, "ms"),
        ("P99", figures.p99_ms, objectives.p99_ms, "ms"),
        ("errors", 100 * figures.error_rate, 100 * objectives.error_rate, "%"),
    )
    available, wanted = 100 * figures.availability, 100 * objectives.availability
    return [
        *(
            ObjectiveCheck(name, measured, limit, unit, measured < limit)
            for name, measured, limit, unit in below
        ),
        ObjectiveCheck("availability", available, wanted, "%", available > wanted),
    ]
