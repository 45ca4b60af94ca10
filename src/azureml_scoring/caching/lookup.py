"""The scoring of one request with a cache: what the tiers know of its batch, and what must be
computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from azureml_scoring.caching.tier import MeasuredTier
from azureml_scoring.caching.units import Units
from azureml_scoring.caching.value import Entry
from azureml_scoring.inputs.batch import Batch


class Computed(NamedTuple):
    """The model's answers; ``shareable`` if other requests may have them too."""

    answers: list[Any]
    shareable: bool


Compute = Callable[[Batch], Computed]


class CachedScoring:
    """The state of one request.

    ``known``: JSON by key; ``shareable``: the part of it that other requests may have;
    ``computed``: whether the model ran.
    """

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
        """True if a tier that is worth asking is on another machine."""
        return any(not tier.nearby for tier in self._tiers)

    @property
    def rows(self) -> int | None:
        """See ``Units.rows``."""
        return self._units.rows

    @property
    def unknown(self) -> list[bytes]:
        return [key for key in self._units.keys if key not in self.known]

    def look_up_nearby(self, started: float) -> None:
        """Ask the nearby tiers. ``started``: when the keys began to be made."""
        for tier in self._tiers:
            if tier.nearby:
                self.learn(tier.look_up(self.unknown, self.rows, started))

    def look_up_again(self, keys: Iterable[bytes]) -> None:
        """Ask all tiers for claimed keys: another thread may have put them nearby just before."""
        for place, tier in enumerate(self._tiers):
            missing = [key for key in keys if key not in self.known]
            if not missing:
                return
            entries = tier.peek(missing) if tier.nearby else tier.look_up(missing, self.rows)
            self.learn(entries, self._tiers[:place])

    def learn(self, entries: Mapping[bytes, Entry], tiers: Sequence[MeasuredTier] = ()) -> None:
        """Take the entries as known, and put them into ``tiers``."""
        for key, entry in entries.items():
            self.known[key] = self.shareable[key] = entry.predictions
        for tier in tiers:
            if entries:
                tier.put(entries)

    def compute(self, keys: Sequence[bytes]) -> None:
        """Run the model for these keys. Raises what the model raises."""
        if not keys:
            return
        started = self._clock()
        computed = self._compute(self._units.part(keys))
        seconds = self._clock() - started
        json_by_key = self._units.split(keys, computed.answers)
        self.known |= json_by_key
        self.computed = True
        for tier in self._tiers:
            tier.computed(seconds)
        if computed.shareable:
            expires = self._expiry()
            entries = {key: Entry(json, expires) for key, json in json_by_key.items()}
            self.learn(entries, self._tiers)
