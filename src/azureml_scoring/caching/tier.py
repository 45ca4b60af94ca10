"""What a place to keep predictions must do, and how it is used only while that pays."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from azureml_scoring.caching.payoff import Payoff
from azureml_scoring.caching.value import Entry, Unavailable
from azureml_scoring.shared.cache_counts import CacheCounts


class Tier(Protocol):
    """Gives back what was put under a key and has not expired, or nothing; never anything else."""

    name: str
    nearby: bool
    """Asking it costs no round trip."""

    def available(self) -> bool: ...

    def get(self, keys: Iterable[bytes], rows: int | None = None) -> dict[bytes, Entry]:
        """What is known of these keys: JSON with the answers to so many rows, None being the one
        answer to a row.

        Raises Unavailable.
        """

    def put(self, entries: Mapping[bytes, Entry]) -> None:
        """May keep them, or not."""


class MeasuredTier:
    """A tier with what its look-ups cost and bring. With ``must_pay`` it is bypassed where
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
        self._payoff = Payoff(self._judged)
        self._must_pay = must_pay
        self._clock = clock

    def worth_asking(self) -> bool:
        return self._tier.available() and (self._payoff.worth_a_try() or not self._must_pay)

    def look_up(
        self, keys: Iterable[bytes], rows: int | None = None, started: float | None = None
    ) -> dict[bytes, Entry]:
        """``started``: when preparing for it began, if that was before. Never raises."""
        started = self._clock() if started is None else started
        try:
            found = self._tier.get(keys, rows)
        except Unavailable:
            return {}
        self._payoff.looked_up(self._clock() - started)
        if found:
            self._counts.add(**{f"{self.name}_hits": len(found)})
        return found

    def computed(self, seconds: float) -> None:
        """How long a computation took that a hit would have saved."""
        self._payoff.computed(seconds)

    def _judged(self, look_up: float, compute: float) -> None:
        name = self.name
        self._counts.set(
            **{
                f"{name}_bypassed": int(self._must_pay and not self._payoff.pays),
                f"{name}_look_up_us": round(look_up * 1e6),
                "compute_us": round(compute * 1e6),
            }
        )
