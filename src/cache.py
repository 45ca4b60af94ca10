"""The response cache: takes predictions from the nearest tier that has them, or computes them.

Only valid predictions are cached; metadata is always fresh. Equal requests in flight are computed
once. No answer depends on the cache: if it fails, the predictions are computed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from azureml_scoring.caching.key import KeyMaker
from azureml_scoring.caching.lookup import CachedScoring, Compute
from azureml_scoring.caching.single_flight import SingleFlight
from azureml_scoring.caching.tier import MeasuredTier
from azureml_scoring.caching.units import RowUnits, Units, WholeBatch
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.model import Model
from azureml_scoring.models.predictions import to_json
from azureml_scoring.request import CacheState, Directive
from azureml_scoring.shared.cache_counts import CacheCounts

if TYPE_CHECKING:
    from azureml_scoring.caching.lease import Leases

TTL_JITTER_SHARE = 0.1
"""Entries live up to a tenth less than the TTL, so that entries made together do not expire
together."""


class Predictions(NamedTuple):
    """Predictions as JSON, and how the cache took part."""

    json: bytes
    state: CacheState


class ResponseCache:
    """Looks up and stores the predictions of requests.

    ``tiers``: the nearest first; ``prefix``: start of each key; times in seconds.
    """

    def __init__(
        self,
        tiers: Sequence[MeasuredTier],
        counts: CacheCounts,
        *,
        prefix: str = "azureml-scoring",
        ttl: float = 3600,
        by_row: bool = False,
        leases: Leases | None = None,
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._tiers = tiers
        self.far_away = any(not tier.nearby for tier in tiers)
        """True if a look-up may wait for another machine."""
        self._counts = counts
        self._prefix = prefix
        self._ttl = ttl
        self._by_row = by_row
        self._leases = leases
        self._clock = clock
        self._now = now
        self._flights = SingleFlight()
        self._keys: KeyMaker | None = None

    @property
    def tier_names(self) -> tuple[str, ...]:
        return tuple(tier.name for tier in self._tiers)

    def predictions(
        self, model: Model, batch: Batch, directive: Directive, compute: Compute, due: float
    ) -> Predictions:
        """Return the predictions of a batch. Raises what ``compute`` raises.

        ``due``: how long to wait for other threads, by the monotonic clock.
        """
        if not (self._tiers and model.cacheable):
            return Predictions(to_json(compute(batch).answers), CacheState.OFF)
        tiers = [tier for tier in self._tiers if tier.worth_asking()]
        if not tiers or directive == Directive(look_up=False, store=False):
            return Predictions(to_json(compute(batch).answers), CacheState.BYPASS)
        started = self._clock()
        units = self._units(model, batch)
        scoring = CachedScoring(units, tiers, compute, self._expiry, self._clock)
        if directive.look_up:
            scoring.look_up_nearby(started)
            self._compute_once(scoring, due)
        scoring.compute(scoring.unknown)
        if not directive.look_up:
            state = CacheState.BYPASS
        else:
            state = CacheState.MISS if scoring.computed else CacheState.HIT
        return Predictions(units.join(scoring.known), state)

    def _compute_once(self, scoring: CachedScoring, due: float) -> None:
        """Compute what no other thread computes, and wait for the rest. If another thread fails,
        its keys stay unknown."""
        if not scoring.unknown:
            return
        with self._flights.claim(scoring.unknown) as claim:
            scoring.look_up_again(claim.mine)
            self._lead(scoring, [key for key in claim.mine if key in scoring.unknown], due)
            claim.land({key: json for key, json in scoring.shareable.items() if key in claim.mine})
            landed = claim.wait(due - time.monotonic())
        if landed:
            scoring.known |= landed
            self._counts.add(coalesced=len(landed))

    def _lead(self, scoring: CachedScoring, keys: list[bytes], due: float) -> None:
        """Compute the keys that no other process computes, and wait for the rest."""
        if not (self._leases and keys and scoring.asks_far_away):
            scoring.compute(keys)
            return
        mine = self._leases.take(keys)
        try:
            scoring.look_up_again(mine)  # another process may have stored them before the lease
            scoring.compute([key for key in mine if key not in scoring.known])
        finally:
            self._leases.release(mine)
        if theirs := [key for key in keys if key not in scoring.known]:
            scoring.learn(self._leases.wait(theirs, scoring.rows, due))
            scoring.compute([key for key in theirs if key not in scoring.known])

    def _units(self, model: Model, batch: Batch) -> Units:
        keys = self._keys
        if keys is None or keys.model is not model:
            keys = self._keys = KeyMaker(model, self._prefix)
        return (RowUnits if self._by_row else WholeBatch)(keys, batch)

    def _expiry(self) -> float:
        jitter = TTL_JITTER_SHARE * random.random()  # noqa: S311 nothing secret
        return self._now() + self._ttl * (1 - jitter)
