"""A model of one pod: an M/M/c/K queue, in its steady state in each second.

Requests arrive at random, c slots compute, and at most K are held: more are shed, as the service
does by ``SCORING_MAX_IN_FLIGHT`` and ``SCORING_QUEUE_TIMEOUT_MS``. So short a queue forgets its
past within about a second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special, stats

WAIT_POINTS = 201
"""Points from no wait to the longest one."""

LONGEST_WAIT_QUANTILE = 0.9999


@dataclass(frozen=True, kw_only=True)
class PodModel:
    """One pod. ``cores``: its limit. ``service``: time of one core for a request. ``start``: until
    it is ready. ``held``: requests at most. Times in seconds, memory in bytes."""

    cores: float
    service: float
    start: float
    memory: float
    held: int
    queue_timeout: float

    @cached_property
    def slots(self) -> int:
        """Requests computed at once, as the service counts them."""
        return math.ceil(self.cores)

    @cached_property
    def capacity(self) -> float:
        """Requests/s that the pod can compute."""
        return self.cores / self.service

    @cached_property
    def places(self) -> int:
        """Requests that the pod holds, computed or waiting: no more than it can serve within the
        queue timeout."""
        return max(self.slots, min(self.held, self.slots + int(self.capacity * self.queue_timeout)))

    @cached_property
    def _waits(self) -> np.ndarray:
        """Waits in seconds, rising; hardly any request waits longer than the last."""
        longest = (
            stats.gamma.ppf(LONGEST_WAIT_QUANTILE, max(1, self.places - self.slots)) / self.capacity
        )
        return np.linspace(0, longest, WAIT_POINTS)

    @cached_property
    def latencies(self) -> np.ndarray:
        """Latencies in seconds, rising."""
        return self._waits + self.slots / self.capacity

    @cached_property
    def _later(self) -> np.ndarray:
        """[requests in the pod on arrival, latency]: the probability to take longer."""
        ahead = np.arange(self.places)[:, None] - self.slots
        later: np.ndarray = stats.poisson.cdf(ahead, self.capacity * self._waits)
        return later

    def held_by(self, rate: np.ndarray) -> np.ndarray:
        """Return [second, requests in the pod]: the probability. ``rate``: requests/s to it."""
        requests = np.arange(self.places + 1)
        logarithm = special.xlogy(requests, rate[:, None] / self.capacity * self.slots)
        logarithm = logarithm - special.gammaln(np.minimum(requests, self.slots) + 1)
        logarithm = logarithm - np.maximum(requests - self.slots, 0) * math.log(self.slots)
        likely: np.ndarray = special.softmax(logarithm, axis=1)
        return likely

    def later(self, likely: np.ndarray) -> np.ndarray:
        """Return [second, latency]: the share of all requests that take longer."""
        shares: np.ndarray = likely[:, :-1] @ self._later
        return shares

    def used(self, rate: np.ndarray, likely: np.ndarray) -> np.ndarray:
        """Return the cores in use, in each second."""
        cores: np.ndarray = np.minimum(self.cores, rate * (1 - likely[:, -1]) * self.service)
        return cores

    def held_mean(self, likely: np.ndarray) -> np.ndarray:
        """Return the requests in the pod, in each second."""
        held: np.ndarray = likely @ np.arange(self.places + 1)
        return held

    def waiting_mean(self, likely: np.ndarray) -> np.ndarray:
        """Return the requests that wait for a slot, in each second."""
        waiting: np.ndarray = likely @ np.maximum(np.arange(self.places + 1) - self.slots, 0)
        return waiting
