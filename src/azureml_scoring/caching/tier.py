"""The tiers of the cache: what each must do, and a wrapper that uses one only while it pays."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from azureml_scoring.caching.payoff import Payoff
from azureml_scoring.caching.value import Entry, Unavailable
from azureml_scoring.shared.cache_counts import CacheCounts


class Tier(Protocol):
    """A store that returns what was put under a key and has not expired, or nothing."""

    name: str
    nearby: bool
    """True if a look-up costs no round trip."""

    def available(self) -> bool: ...

    def get(self, keys: Iterable[bytes], rows: int | None = None) -> dict[bytes, Entry]:
        """Return the entries of these keys, as far as there are any. Raises Unavailable.

        ``rows``: how many answers an entry's JSON lists; None: it is the answer to one row.
        """

    def put(self, entries: Mapping[bytes, Entry]) -> None:
        """Store the entries. A tier may also drop them."""


class MeasuredTier:
    """A tier that counts its hits and times its look-ups. With ``must_pay`` it is bypassed while
    computing is cheaper."""

    def __init__(
        self,
        tier: Tier,
        counts: CacheCounts,
        *,
        must_pay: bool = True,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.name, self.nearby = tier.name, tier.nearby
        self.peek, self.put = tier.get, tier.put
        self._tier = tier
        self._counts = counts
        self._payoff = Payoff(self._publish)
        self._must_pay = must_pay
        self._clock = clock

    def worth_asking(self) -> bool:
        """True if the tier is available and a look-up pays, or a test of that is due."""
        return self._tier.available() and (self._payoff.worth_a_try() or not self._must_pay)

    def look_up(
        self, keys: Iterable[bytes], rows: int | None = None, started: float | None = None
    ) -> dict[bytes, Entry]:
        """Return the entries of these keys; never raises.

        ``started``: when the request began to prepare for it, if that was earlier.
        """
        started = self._clock() if started is None else started
        try:
            entries = self._tier.get(keys, rows)
        except Unavailable:
            return {}
        self._payoff.looked_up(self._clock() - started)
        if entries:
            self._counts.add(**{f"{self.name}_hits": len(entries)})
        return entries

    def computed(self, seconds: float) -> None:
        """Note how long a computation took that a hit would have saved."""
        self._payoff.computed(seconds)

    def _publish(self, look_up: float, compute: float) -> None:
        name = self.name
        self._counts.set(
            **{
                f"{name}_bypassed": int(self._must_pay and not self._payoff.pays),
                f"{name}_look_up_us": round(look_up * 1e6),
                "compute_us": round(compute * 1e6),
            }
        )
