"""The service's objectives for latency and errors, which rollouts, loads and simulations are held
to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Slo:
    """Limits: P95 and P99 in milliseconds, the error rate as a share of the requests."""

    p95_ms: float = 200
    p99_ms: float = 500
    error_rate: float = 0.01

    def limit(self, quantile: str) -> float:
        """Return the limit of ``P95`` or ``P99``."""
        return {"P95": self.p95_ms, "P99": self.p99_ms}[quantile]
