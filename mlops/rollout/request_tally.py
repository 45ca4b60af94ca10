"""Counts the requests to one deployment: failures, refusals, latencies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlops.traffic_blocks import TrafficBlock

QUANTILES = {"P95": 0.95, "P99": 0.99}


@dataclass(frozen=True)
class RequestTally:
    """Counts of the requests to one deployment. ``latencies``: of the successful ones, in
    milliseconds."""

    requests: int
    failed: int
    refused: int
    latencies: np.ndarray

    @classmethod
    def of(cls, blocks: Sequence[TrafficBlock]) -> RequestTally:
        return cls(
            requests=sum(block.requests for block in blocks),
            failed=sum(block.failed for block in blocks),
            refused=sum(block.refused for block in blocks),
            latencies=np.concatenate([[], *(block.latencies_ms() for block in blocks)]),
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
