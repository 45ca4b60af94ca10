"""The scoring of one request with a cache: what is known of its batch, from where, and what had to
be computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from azureml_scoring.caching.tier import MeasuredTier
from azureml_scoring.caching.units import Units
from azureml_scoring.caching.value import Entry
from azureml_scoring.inputs.batch import Batch


class Computed(NamedTuple):
    """What the model answered; ``shareable`` unless it is not to be given to another request."""

    answers: list[Any]
    shareable: bool


Compute = Callable[[Batch], Computed]


class CachedScoring:
    """One request: the JSON that is ``known`` by key, and of that what was ``computed`` and what is
    ``shareable``."""

    def __init__(
        self,
        units: Units,
        tiers: Sequence[MeasuredTier],
        compute: Compute,
        expiry: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._units = units
        self._tiers = tiers
        self._compute = compute
        self._expiry = expiry
        self._clock = clock
        self.known: dict[bytes, bytes] = {}
        self.shareable: dict[bytes, bytes] = {}
        self.computed = False

    @property
    def asks_far_away(self) -> bool:
        """Redis is there, and worth its while."""
        return any(not tier.nearby for tier in self._tiers)

    @property
    def rows(self) -> int | None:
        """As of ``Units``."""
        return self._units.rows

    @property
    def unknown(self) -> list[bytes]:
        return [key for key in self._units.keys if key not in self.known]

    def look_up_nearby(self, started: float) -> None:
        """``started``: when making the keys began."""
        for tier in self._tiers:
            if tier.nearby:
                self.learn(tier.look_up(self.unknown, self.rows, started))

    def look_up_again(self, keys: Iterable[bytes]) -> None:
        """Nearby, where another thread may have put it just before the keys were claimed; then
        further away."""
        for place, tier in enumerate(self._tiers):
            wanted = [key for key in keys if key not in self.known]
            if not wanted:
                return
            found = tier.peek(wanted) if tier.nearby else tier.look_up(wanted, self.rows)
            self.learn(found, self._tiers[:place])

    def learn(self, entries: Mapping[bytes, Entry], tiers: Sequence[MeasuredTier] = ()) -> None:
        """``tiers``: where to keep it, too."""
        for key, entry in entries.items():
            self.known[key] = self.shareable[key] = entry.predictions
        for tier in tiers:
            if entries:
                tier.put(entries)

    def compute(self, keys: Sequence[bytes]) -> None:
        """Raises what the model raises."""
        if not keys:
            return
        started = self._clock()
        computed = self._compute(self._units.part(keys))
        seconds = self._clock() - started
        made = self._units.split(keys, computed.answers)
        self.known |= made
        self.computed = True
        for tier in self._tiers:
            tier.computed(seconds)
        if computed.shareable:
            expires = self._expiry()
            self.learn({key: Entry(json, expires) for key, json in made.items()}, self._tiers)
