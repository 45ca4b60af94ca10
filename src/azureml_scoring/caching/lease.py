"""Short leases in Redis: processes and pods that get equal requests at once compute them once.

Leases only save work; no answer depends on them. If a lease is lost early, something is computed
twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from azureml_scoring.caching.redis_link import RedisLink
from azureml_scoring.caching.redis_tier import RedisTier
from azureml_scoring.caching.value import Entry, Unavailable

POLL_INTERVAL_S = 0.005


class Leases:
    """Takes, releases and awaits leases.

    ``duration`` in seconds is the longest that a computation may take, and the longest that another
    process waits for it.
    """

    def __init__(
        self,
        link: RedisLink,
        tier: RedisTier,
        *,
        duration: float,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._link = link
        self._tier = tier
        self._duration = duration
        self._sleep = sleep
        self._clock = clock

    def take(self, keys: Iterable[bytes]) -> list[bytes]:
        """Return the keys that no other process computes; all of them if Redis does not answer."""
        candidates = list(keys)
        try:
            return self._link.ask(lambda client: self._take(client, candidates))
        except Unavailable:
            return candidates

    def release(self, keys: Iterable[bytes]) -> None:
        """Give up leases. Call it after the values were put: a process that sees neither a lease
        nor a value knows that the computation failed."""
        held = list(keys)
        self._link.tell(lambda client: _run_for_each(client, "unlink", held))

    def wait(self, keys: Iterable[bytes], rows: int | None, due: float) -> dict[bytes, Entry]:
        """Wait for other processes, until each key is stored, released or overdue; return what they
        stored. ``rows``: as for ``Tier.get``.

        The wait takes at most half of the time left until ``due``, so that the rest is enough to
        compute what did not come.
        """
        waiting, entries = set(keys), dict[bytes, Entry]()
        began = self._clock()
        until = began + min(self._duration, (due - began) / 2)
        while waiting and self._clock() < until and self._tier.available():
            self._sleep(POLL_INTERVAL_S)
            try:
                leased = self._link.ask(partial(_leased, keys=sorted(waiting)))
                # Read after the leases: a value is written before its lease is released.
                entries |= self._tier.get(waiting, rows)
            except Unavailable:
                break
            waiting = (waiting & leased) - entries.keys()
        return entries

    def _take(self, client: Any, keys: list[bytes]) -> list[bytes]:
        with client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.set(_lease(key), b"", nx=True, px=round(self._duration * 1000))
            return [key for key, taken in zip(keys, pipe.execute(), strict=True) if taken]


def _leased(client: Any, keys: list[bytes]) -> set[bytes]:
    exists = _run_for_each(client, "exists", keys)
    return {key for key, leased in zip(keys, exists, strict=True) if leased}


def _run_for_each(client: Any, command: str, keys: list[bytes]) -> list[Any]:
    with client.pipeline(transaction=False) as pipe:
        for key in keys:
            getattr(pipe, command)(_lease(key))
        answers: list[Any] = pipe.execute()
        return answers


def _lease(key: bytes) -> bytes:
    return key + b":lease"
