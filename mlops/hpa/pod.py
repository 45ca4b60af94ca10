"""What one pod makes of its share of the load: a queue of the kind M/M/c/K, in its steady state in
each second.

Requests come one by one at random, c slots compute, and K are held at most: more are shed, as the
service does by ``SCORING_MAX_IN_FLIGHT`` and ``SCORING_QUEUE_TIMEOUT_MS``. So short a queue forgets
its past within about a second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special, stats

WAITS = 201
"""Points between no wait and the longest one."""

SURELY = 0.9999


@dataclass(frozen=True, kw_only=True)
class PodModel:
    """``cores``: the limit. ``service``: of one core's time, for a request. Times in seconds,
    memory in bytes."""

    cores: float
    service: float
    start: float
    memory: float
    held: int
    queue_timeout: float

    @cached_property
    def slots(self) -> int:
        """Scores computed at once, as the service counts them."""
        return math.ceil(self.cores)

    @cached_property
    def capacity(self) -> float:
        """Requests/s that it can compute."""
        return self.cores / self.service

    @cached_property
    def places(self) -> int:
        """Requests that it holds, computing or waiting; who would wait longer than is allowed finds
        none."""
        return max(self.slots, min(self.held, self.slots + int(self.capacity * self.queue_timeout)))

    @cached_property
    def _waits(self) -> np.ndarray:
        """Seconds; hardly anybody waits longer than the last."""
        longest = stats.gamma.ppf(SURELY, max(1, self.places - self.slots)) / self.capacity
        return np.linspace(0, longest, WAITS)

    @cached_property
    def latencies(self) -> np.ndarray:
        """Seconds, rising."""
        return self._waits + self.slots / self.capacity

    @cached_property
    def _later(self) -> np.ndarray:
        """[requests found, latency]: the probability to take longer. Who finds all slots taken
        waits for his turn."""
        ahead = np.arange(self.places)[:, None] - self.slots
        later: np.ndarray = stats.poisson.cdf(ahead, self.capacity * self._waits)
        return later

    def held_by(self, rate: np.ndarray) -> np.ndarray:
        """[second, requests in the pod]: how likely. ``rate``: requests/s to this pod."""
        found = np.arange(self.places + 1)
        logarithm = special.xlogy(found, rate[:, None] / self.capacity * self.slots)
        logarithm = logarithm - special.gammaln(np.minimum(found, self.slots) + 1)
        logarithm = logarithm - np.maximum(found - self.slots, 0) * math.log(self.slots)
        likely: np.ndarray = special.softmax(logarithm, axis=1)
        return likely

    def later(self, likely: np.ndarray) -> np.ndarray:
        """[second, latency]: share of all requests that are answered later."""
        shares: np.ndarray = likely[:, :-1] @ self._later
        return shares

    def used(self, rate: np.ndarray, likely: np.ndarray) -> np.ndarray:
        """Cores, in each second."""
        cores: np.ndarray = np.minimum(self.cores, rate * (1 - likely[:, -1]) * self.service)
        return cores

    def held_mean(self, likely: np.ndarray) -> np.ndarray:
        """Requests in the pod, in each second."""
        held: np.ndarray = likely @ np.arange(self.places + 1)
        return held

    def waiting_mean(self, likely: np.ndarray) -> np.ndarray:
        """Requests that wait for a slot, in each second."""
        waiting: np.ndarray = likely @ np.maximum(np.arange(self.places + 1) - self.slots, 0)
        return waiting
