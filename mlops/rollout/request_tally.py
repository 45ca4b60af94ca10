"""The requests to one deployment by blocks of time: failures, refusals, latencies."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mlops.rollout.dependence import BlockCounts
from mlops.traffic_blocks import LATENCY_RATIO, TrafficBlock

QUANTILES = {"P95": 0.95, "P99": 0.99}


@dataclass(frozen=True)
class RequestTally:
    """Arrays with one entry for each block. ``at``: its begin, in seconds since 1970.
    ``histogram``: how many of its successful requests have the latency of each bin, (blocks,
    bins)."""

    at: np.ndarray
    requests: np.ndarray
    failed: np.ndarray
    refused: np.ndarray
    histogram: np.ndarray

    @classmethod
    def of(cls, blocks: Iterable[TrafficBlock]) -> RequestTally:
        ordered = sorted(blocks, key=lambda block: block.at)
        counts = np.array(
            [(block.at, block.requests, block.failed, block.refused) for block in ordered]
        ).reshape(-1, 4)
        highest = max((place for block in ordered for place, _ in block.latencies), default=-1)
        histogram = np.zeros((len(ordered), highest + 1))
        for row, block in zip(histogram, ordered, strict=True):
            for place, answered in block.latencies:
                row[place] = answered
        at, requests, failed, refused = counts.T
        return cls(at, requests, failed, refused, histogram)

    @property
    def total(self) -> int:
        return int(self.requests.sum())

    def since(self, at: float) -> RequestTally:
        """Leave out the blocks that began before ``at``."""
        return self._part(slice(int(np.searchsorted(self.at, at)), None))

    def until(self, at: float) -> RequestTally:
        """Leave out the blocks that began at ``at`` or later."""
        return self._part(slice(int(np.searchsorted(self.at, at))))

    def _part(self, blocks: slice) -> RequestTally:
        return RequestTally(
            self.at[blocks],
            self.requests[blocks],
            self.failed[blocks],
            self.refused[blocks],
            self.histogram[blocks],
        )

    def followed_by(self, other: RequestTally) -> RequestTally:
        """Add later blocks, whose histograms have as many bins."""
        mine, theirs = vars(self), vars(other)
        return RequestTally(**{name: np.concatenate([mine[name], theirs[name]]) for name in mine})

    def joined(self, length_s: float) -> RequestTally:
        """Join blocks to longer ones."""
        if not self.at.size:
            return self
        starts = np.flatnonzero(np.diff(self.at // length_s, prepend=-1))
        return RequestTally(
            self.at[starts],
            *(
                np.add.reduceat(one, starts)
                for one in (self.requests, self.failed, self.refused, self.histogram)
            ),
        )

    def placed(self, places: np.ndarray, length_s: float) -> RequestTally:
        """Put blocks of ``length_s`` at ``places``, their numbers; where there is none, an empty
        one."""
        where = np.searchsorted(places, self.at // length_s)

        def spread(counts: np.ndarray) -> np.ndarray:
            spaced = np.zeros((places.size, *counts.shape[1:]))
            spaced[where] = counts
            return spaced

        counts = (self.requests, self.failed, self.refused, self.histogram)
        return RequestTally(places * length_s, *map(spread, counts))

    def failures(self) -> BlockCounts:
        return BlockCounts(self.failed, self.requests)

    def refusals(self) -> BlockCounts:
        return BlockCounts(self.refused, self.requests)

    def slower_than(self, limit_ms: float) -> BlockCounts:
        """Count the successful requests that took longer."""
        beyond = math.floor(math.log(max(limit_ms, 1.0)) / math.log(LATENCY_RATIO) + 1e-9) + 1
        return BlockCounts(self.histogram[:, beyond:].sum(axis=1), self.histogram.sum(axis=1))

    def quantile(self, quantile: float) -> float:
        """Return a quantile of the latencies in milliseconds, within 1 %; NaN if there are none."""
        counts = self.histogram.sum(axis=0).cumsum()
        if not counts.size or not counts[-1]:
            return math.nan
        return float(LATENCY_RATIO ** np.searchsorted(counts, quantile * counts[-1]))

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
        return {
            "requests": self.total,
            "failed": int(self.failed.sum()),
            "refused": int(self.refused.sum()),
        } | known
