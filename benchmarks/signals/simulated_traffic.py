"""Traffic of two deployments as a rollout's log counts it, drawn by blocks of time rather than by
request.

Requests arrive at random (Poisson), so the number with each latency within a block is Poisson
distributed too, and independent of the others: drawing these numbers is exact, and takes as long at
a thousand requests a second as at one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from scipy import special

from mlops.rollout.request_tally import RequestTally
from mlops.traffic_blocks import BLOCK_S, LATENCY_RATIO, latency_bins

BINS = latency_bins(120_000)
EDGES_MS = LATENCY_RATIO ** (np.arange(BINS) + 0.5)

Spectrum = np.ndarray
"""The probability of each latency bin."""

Cdf = Callable[[np.ndarray], np.ndarray]
"""From milliseconds to the share of requests that take no longer."""


def lognormal(median_ms: float = 20.0, sigma: float = 0.3) -> Cdf:
    return lambda ms: special.ndtr(np.log(np.maximum(ms, 1e-9) / median_ms) / sigma)


def pareto(least_ms: float = 10.0, shape: float = 2.5) -> Cdf:
    return lambda ms: 1 - (least_ms / np.maximum(ms, least_ms)) ** shape


def bimodal() -> Cdf:
    return lambda ms: 0.9 * lognormal(15, 0.2)(ms) + 0.1 * lognormal(60, 0.2)(ms)


def slower(cdf: Cdf, times: float) -> Cdf:
    return lambda ms: cdf(ms / times)


def hanging(cdf: Cdf, share: float, ms: float = 30_000.0) -> Cdf:
    return lambda at: (1 - share) * cdf(at) + share * (at >= ms)


def slow_tail(cdf: Cdf, share: float, times: float) -> Cdf:
    """The slowest ``share`` takes ``times`` as long."""
    return lambda ms: np.minimum(cdf(ms), np.maximum(1 - share, cdf(ms / times)))


def paused(cdf: Cdf, pause_ms: float = 1000.0) -> Cdf:
    """A request that comes during a pause waits for the rest of it."""
    waits = (np.arange(20) + 0.5) / 20 * pause_ms
    return lambda ms: np.mean([cdf(ms - wait) * (ms > wait) for wait in waits], axis=0)


@cache
def spectrum(cdf: Cdf) -> Spectrum:
    cumulated = np.clip(cdf(EDGES_MS), 0, 1)
    cumulated[-1] = 1
    return np.diff(cumulated, prepend=0)


@dataclass(frozen=True)
class Spells:
    """Times of ``length_s`` at random, one in ``every_s`` on average, in which latencies are
    ``cdf``, and the share ``failing`` fails."""

    length_s: float
    every_s: float
    cdf: Cdf
    failing: float = 0.0

    def shares(self, starts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the share of each block that lies within a spell; draws when they begin."""
        end = starts[-1] + BLOCK_S
        begins = rng.uniform(-self.length_s, end, rng.poisson((end + self.length_s) / self.every_s))
        overlap = np.minimum(starts[:, None] + BLOCK_S, begins + self.length_s) - np.maximum(
            starts[:, None], begins
        )
        shares: np.ndarray = np.clip(overlap, 0, None).sum(axis=1) / BLOCK_S
        return np.minimum(shares, 1)


Share = Callable[[np.ndarray, float], np.ndarray]
"""From times and the phase of the day to shares of the requests."""


def constant(share: float) -> Share:
    return lambda starts, phase: np.full(starts.size, share)


def swinging(share: float, by: float, period_s: float = 7200.0) -> Share:
    """A share that rises and falls by a part ``by`` of itself."""
    return lambda starts, phase: share * (1 + by * np.sin(2 * np.pi * (starts / period_s + phase)))


@dataclass(frozen=True)
class Behaviour:
    """How one deployment answers. ``failing``, ``refused``: shares of the requests, by time and the
    phase of the day. ``cold_s``: for how long its first requests are of ``cold``. ``growing``: how
    many times slower it is after an hour."""

    cdf: Cdf = field(default_factory=lambda: BASE)
    failing: Share = field(default_factory=lambda: constant(0.001))
    refused: Share = field(default_factory=lambda: constant(0.0))
    spells: Spells | None = None
    cold: Cdf | None = None
    cold_s: float = 30
    growing: float = 1.0


BASE = lognormal()


@dataclass(frozen=True)
class Case:
    """Two deployments. ``together``: whether their spells come at the same time. ``bad_client``:
    one sends 300 requests that are refused within 10 s, each half an hour."""

    title: str
    new: Behaviour = field(default_factory=Behaviour)
    old: Behaviour = field(default_factory=Behaviour)
    together: bool = False
    bad_client: bool = False


class Traffic:
    """The two deployments' requests in one rollout of ``case``, from time 0 on."""

    def __init__(self, case: Case, rate: float, rng: np.random.Generator, until_s: float) -> None:
        self._case, self._rate, self._rng = case, rate, rng
        starts = np.arange(0, until_s, BLOCK_S, dtype=float)
        self._starts, self._phase = starts, rng.uniform()
        self._spells: dict[str, np.ndarray] = {}
        for name, side in (("new", case.new), ("old", case.old)):
            if side.spells:
                self._spells[name] = side.spells.shares(starts, rng)
        if case.together:
            self._spells["old"] = self._spells["new"]
        self._bins = max(_bins(side) for side in (case.new, case.old))
        self._client = np.zeros(starts.size)
        if case.bad_client:
            self._client = 300 * Spells(10, 1800, BASE).shares(starts, rng)

    def tally(self, name: str, share: float, begin_s: float, end_s: float) -> RequestTally:
        """Draw the requests to one deployment that gets ``share`` of all."""
        side: Behaviour = getattr(self._case, name)
        blocks = (self._starts >= begin_s) & (self._starts < end_s)
        at, requests = self._starts[blocks], self._rate * share * BLOCK_S
        failing, refusing = (part(at, self._phase) for part in (side.failing, side.refused))
        if side.spells:
            failing = failing + side.spells.failing * self._spells[name][blocks]
        failed = self._rng.poisson(requests * failing)
        refused = self._rng.poisson(requests * refusing + share * self._client[blocks])
        answered = requests * (1 - failing - refusing)
        histogram = self._rng.poisson(answered[:, None] * self._spectra(name, side, at, blocks))
        total = histogram.sum(axis=1) + failed + refused
        return RequestTally(at, total, failed, refused, histogram)

    def _spectra(
        self, name: str, side: Behaviour, at: np.ndarray, blocks: np.ndarray
    ) -> np.ndarray:
        spectra = np.broadcast_to(spectrum(side.cdf)[: self._bins], (at.size, self._bins))
        if side.growing != 1:
            times = 1 + (side.growing - 1) * at / 3600
            spectra = np.array([_growing(side.cdf, n)[: self._bins] for n in times])
        if side.spells:
            within = self._spells[name][blocks][:, None]
            spectra = (1 - within) * spectra + within * spectrum(side.spells.cdf)[: self._bins]
        if side.cold:
            cold = np.clip((side.cold_s - at) / BLOCK_S, 0, 1)[:, None]
            spectra = (1 - cold) * spectra + cold * spectrum(side.cold)[: self._bins]
        return spectra


def _growing(cdf: Cdf, times: float) -> Spectrum:
    return np.diff(cdf(EDGES_MS / times), prepend=0)


def _bins(side: Behaviour) -> int:
    """Return how many bins hold all but a millionth of a millionth of the requests."""
    cdfs = [side.cdf, side.cold, side.spells and side.spells.cdf]
    most = max(side.growing * 2 - 1, 1)  # two hours
    highest = max(np.flatnonzero(spectrum(cdf) > 1e-12)[-1] for cdf in cdfs if cdf)
    return min(int(highest) + latency_bins(most) + 1, BINS)


def shares(live: Mapping[str, int], mirror: Mapping[str, int], name: str) -> float:
    return (live.get(name, 0) + mirror.get(name, 0)) / 100
