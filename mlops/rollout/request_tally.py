"""Counts the requests to one deployment: failures, refusals, latencies."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mlops.endpoint import Observation

QUANTILES = {"P95": 0.95, "P99": 0.99}
FAILURE_STATUS = 500
"""From this status on, and without an answer (0), the deployment itself failed. Lower ones are
errors of the client."""


@dataclass(frozen=True)
class RequestTally:
    """Counts of the requests to one deployment. ``latencies``: of the successful ones, in
    milliseconds."""

    requests: int
    failed: int
    refused: int
    latencies: np.ndarray

    @classmethod
    def of(cls, observations: Iterable[Observation]) -> RequestTally:
        requests = list(observations)
        return cls(
            requests=len(requests),
            failed=sum(
                request.status >= FAILURE_STATUS or request.status == 0 for request in requests
            ),
            refused=sum(400 <= request.status < FAILURE_STATUS for request in requests),
            latencies=np.array(
                [request.latency_ms for request in requests if 0 < request.status < 400]
            ),
        )

    def figures(self) -> dict[str, float | None]:
        """Return the counts and quantiles that a journal records."""
        quantiles = {
            f"{name.lower()}_ms": self.quantile(share)
            for name, share in {"P50": 0.5, **QUANTILES}.items()
        }
        known = {
            name: None if math.isnan(value) else round(value, 3)
            for name, value in quantiles.items()
        }
        return {"requests": self.requests, "failed": self.failed, "refused": self.refused} | known

    def quantile(self, quantile: float) -> float:
        return float(np.quantile(self.latencies, quantile)) if self.latencies.size else float("nan")
