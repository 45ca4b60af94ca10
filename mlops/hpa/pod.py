"""A model of one pod that admits requests as the service does: a queue M/M/c/K, in its steady state
in each second.

Requests arrive at random, c slots compute, and K is the number of requests whose wait is expected
to be short enough (``admission.wait_limit``): long while the pod keeps up, short once as much work
arrives as it can do. So short a queue forgets its past within about a second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from azureml_scoring.admission.wait_limit import WaitLimit

WAIT_POINTS = 201
"""Points from no wait to the longest one."""

LONGEST_WAIT_QUANTILE = 0.9999


@dataclass(frozen=True, kw_only=True)
class PodModel:
    """One pod. ``cores``: its limit. ``service``: time of one core for a request. ``start``: until
    it is ready. ``held``: requests at most. ``objective``: an answer within this time is worth
    something. Times in seconds, memory in bytes."""

    cores: float
    service: float
    start: float
    memory: float
    held: int
    objective: float

    @cached_property
    def slots(self) -> int:
        """Requests computed at once: one for each core."""
        return math.ceil(self.cores)

    @cached_property
    def capacity(self) -> float:
        """Requests/s that the pod can compute."""
        return self.cores / self.service

    @cached_property
    def work(self) -> float:
        """How long a slot is taken by a request, in seconds."""
        return self.slots / self.capacity

    @cached_property
    def places(self) -> int:
        """Requests that the pod holds at most, computed or waiting, while it keeps up."""
        return self._places(WaitLimit(self.objective).patience_s(self.work))

    @cached_property
    def strict_places(self) -> int:
        """The same once as much work arrives as the pod can do, or more."""
        strict_s = WaitLimit(self.objective).strict_s(self.work, self.work)
        return min(self.places, self._places(strict_s))

    def _places(self, longest_wait: float) -> int:
        """The request that finds n others is expected to wait for n / capacity, if all slots are
        taken."""
        return max(self.slots, min(self.held, int(longest_wait * self.capacity) + 1))

    @cached_property
    def _waits(self) -> np.ndarray:
        """Waits in seconds, rising; hardly any request waits longer than the last."""
        waiting = max(1, self.places - self.slots)
        longest = special.gammaincinv(waiting, LONGEST_WAIT_QUANTILE) / self.capacity
        return np.linspace(0, longest, WAIT_POINTS)

    @cached_property
    def latencies(self) -> np.ndarray:
        """Latencies in seconds, rising."""
        return self._waits + self.work

    @cached_property
    def later(self) -> np.ndarray:
        """[requests in the pod on arrival, latency]: the probability to take longer."""
        ahead = np.arange(self.places)[:, None] - self.slots
        done = special.pdtr(np.maximum(ahead, 0), self.capacity * self._waits)
        later: np.ndarray = np.where(ahead < 0, 0.0, done)
        return later

    def under(self, rate: np.ndarray) -> PodLoad:
        """Return the pod under ``rate``: requests/s in each second."""
        requests = np.arange(self.places + 1)
        places = np.where(rate >= self.capacity, self.strict_places, self.places)
        logarithm = special.xlogy(requests, rate[:, None] / self.capacity * self.slots)
        logarithm = logarithm - special.gammaln(np.minimum(requests, self.slots) + 1)
        logarithm = logarithm - np.maximum(requests - self.slots, 0) * math.log(self.slots)
        logarithm = np.where(requests <= places[:, None], logarithm, -np.inf)
        return PodLoad(self, rate, special.softmax(logarithm, axis=1), places)


@dataclass(frozen=True)
class PodLoad:
    """A pod under a load, in each second. ``likely``: [second, requests in the pod], the
    probability. ``places``: requests at most."""

    model: PodModel
    rate: np.ndarray
    likely: np.ndarray
    places: np.ndarray

    @cached_property
    def shed(self) -> np.ndarray:
        """The share of the requests that is refused: those that find all places taken."""
        share: np.ndarray = np.take_along_axis(self.likely, self.places[:, None], axis=1)[:, 0]
        return share

    @property
    def later(self) -> np.ndarray:
        """[second, latency]: the share of all requests that take longer."""
        admitting = np.arange(self.model.places) < self.places[:, None]
        shares: np.ndarray = (self.likely[:, :-1] * admitting) @ self.model.later
        return shares

    @property
    def used(self) -> np.ndarray:
        """The cores in use."""
        cores: np.ndarray = np.minimum(
            self.model.cores, self.rate * (1 - self.shed) * self.model.service
        )
        return cores

    @property
    def offered(self) -> np.ndarray:
        """The work that arrives, refused or not, divided by what the pod can do."""
        return self.rate / self.model.capacity

    @property
    def waiting(self) -> np.ndarray:
        """The requests that wait for a slot."""
        behind = np.maximum(np.arange(self.model.places + 1) - self.model.slots, 0)
        mean: np.ndarray = self.likely @ behind
        return mean
