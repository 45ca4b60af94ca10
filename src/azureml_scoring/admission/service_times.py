"""Predicts how long a score takes, from recent ones of its kind."""

from __future__ import annotations

import math
from typing import NamedTuple

SHORTEST_S = 0.00005
BUCKETS_PER_DOUBLING = 2
BUCKETS = 44
"""Of a histogram: from 50 µs to three minutes."""

RECENT_SCORES = 200
"""The older a score, the less it counts: the last 200 have 86 % of the weight."""

MIN_SCORES = 3
"""A kind with fewer scores is judged by all scores."""

GROWTH = 1 + 2 / RECENT_SCORES
MAX_WEIGHT = 1e12
MIN_WEIGHT_SHARE = 1e-3


class WorkKind(NamedTuple):
    """Work that takes about the same time. ``size``: rows, as the number of their binary digits."""

    method: str
    size: int

    @classmethod
    def of(cls, method: str, rows: int) -> WorkKind:
        return cls(method, rows.bit_length())


class ServiceTimes:
    """Recent durations by kind, in seconds. What is not known yet is expected to take no time."""

    def __init__(self) -> None:
        self._all = Durations()
        self._kinds: dict[WorkKind, Durations] = {}

    def add(self, kind: WorkKind, seconds: float) -> None:
        self._kinds.setdefault(kind, Durations()).add(seconds)
        self._all.add(seconds)

    def forget(self, kind: WorkKind) -> None:
        """Judge a kind by all scores until new ones of it have ended."""
        self._kinds.pop(kind, None)

    @property
    def mean(self) -> float:
        """Return the mean of all scores."""
        return self._all.mean

    @property
    def shortest(self) -> float:
        """Return the mean of the kind that takes the least."""
        return min(map(self.expected, self._kinds), default=0.0)

    def expected(self, kind: WorkKind) -> float:
        return self._of(kind).mean

    def remaining(self, kind: WorkKind, elapsed: float) -> float:
        """Return how much longer a score is expected to run."""
        return self._of(kind).remaining(elapsed)

    def _of(self, kind: WorkKind) -> Durations:
        durations = self._kinds.get(kind)
        return durations if durations and durations.count >= MIN_SCORES else self._all


class Durations:
    """A histogram of seconds in which the recent ones count most."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self._weight = 1.0
        self._weights = [0.0] * BUCKETS
        self._sums = [0.0] * BUCKETS

    def add(self, seconds: float) -> None:
        self.count += 1
        self._weight *= GROWTH
        if self._weight > MAX_WEIGHT:
            self._weights = [weight / self._weight for weight in self._weights]
            self._sums = [total / self._weight for total in self._sums]
            self._weight = 1.0
        bucket = _bucket(seconds)
        self._weights[bucket] += self._weight
        self._sums[bucket] += self._weight * seconds
        self.mean = sum(self._sums) / sum(self._weights)

    def remaining(self, elapsed: float) -> float:
        """Return the mean of those that took longer than ``elapsed``, less ``elapsed``.

        Where a few take much longer than most, one that has outlasted most has long to go. If none
        took longer, as long again as it has taken.
        """
        own = _bucket(elapsed)
        weight = sum(self._weights[own + 1 :])
        if weight > MIN_WEIGHT_SHARE * self._weight:
            return max(sum(self._sums[own + 1 :]) / weight - elapsed, 0.0)
        expected = self._sums[own] / self._weights[own] if self._weights[own] else 0.0
        return expected - elapsed if expected > elapsed else elapsed


def _bucket(seconds: float) -> int:
    if seconds <= SHORTEST_S:
        return 0
    return min(int(BUCKETS_PER_DOUBLING * math.log2(seconds / SHORTEST_S)) + 1, BUCKETS - 1)
