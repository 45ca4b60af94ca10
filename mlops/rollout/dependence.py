"""What counts are worth if requests are not independent: a pause or a slow spell hits many at once.

How alike the requests of one block of time are is their intraclass correlation. By it, counts are
divided by the design effect, 1 + (n - 1) times the correlation for blocks of n requests (Kish,
Survey Sampling, 1965; Rao and Scott, A simple method for the analysis of clustered binary data,
Biometrics 48, 1992).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BlockCounts:
    """Events and requests of one deployment in each block of time, two arrays of one length."""

    events: np.ndarray
    requests: np.ndarray

    @property
    def blocks(self) -> int:
        """The number of blocks with requests."""
        return int(np.count_nonzero(self.requests))

    def correlation(self) -> float:
        """Return the intraclass correlation, from 0 to 1: by how much the blocks' shares differ
        beyond chance."""
        blocks, total, events = self.blocks, self.requests.sum(), self.events.sum()
        if blocks < 2 or not 0 < events < total:
            return 0.0
        share, squares = events / total, self.requests @ self.requests
        spread = self.events @ self.events + share * (
            share * squares - 2 * (self.events @ self.requests)
        )
        if squares == total:  # one request a block
            return 0.0
        beyond = spread * blocks / (blocks - 1) / (share * (1 - share)) - total
        return min(max(float(beyond / (squares - total)), 0.0), 1.0)

    def effective(self, correlation: float) -> tuple[float, float]:
        """Return how many independent events and requests these are worth."""
        total = self.requests.sum()
        if not total:
            return 0.0, 0.0
        of_a_block = self.requests @ self.requests / total
        effect = 1 + (of_a_block - 1) * correlation
        return float(self.events.sum() / effect), float(total / effect)
