"""Equal work in flight in several processes and pods is done once, by a short lease in Redis on
each key.

Leases only save work, no answer depends on them: a lease lost early means that something is
computed twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from azureml_scoring.caching.redis_link import RedisLink
from azureml_scoring.caching.redis_tier import RedisTier
from azureml_scoring.caching.value import Entry, Unavailable

POLL_EVERY = 0.005
"""Seconds."""


class Leases:
    """``duration`` in seconds: as long as a computation may take, and the longest that another
    process waits for it."""

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
        """The keys among these that no other process is at; all of them where Redis does not
        say."""
        wanted = list(keys)
        try:
            return self._link.ask(lambda client: self._take(client, wanted))
        except Unavailable:
            return wanted

    def release(self, keys: Iterable[bytes]) -> None:
        """After the values were put, so that who sees no lease and no value knows that the
        computation failed."""
        held = list(keys)
        self._link.tell(lambda client: _each(client, "unlink", held))

    def wait(self, keys: Iterable[bytes], rows: int | None, due: float) -> dict[bytes, Entry]:
        """What the other processes stored (``rows`` as of a tier), until each key is there,
        released or overdue.

        At most half of the time that is left until ``due`` goes by, so that there is some to
        compute what never came.
        """
        waiting, found = set(keys), dict[bytes, Entry]()
        began = self._clock()
        until = began + min(self._duration, (due - began) / 2)
        while waiting and self._clock() < until and self._tier.available():
            self._sleep(POLL_EVERY)
            try:
                leased = self._link.ask(partial(_leased, keys=sorted(waiting)))
                found |= self._tier.get(
                    waiting, rows
                )  # after the leases: a value is written before its lease goes
            except Unavailable:
                break
            waiting = (waiting & leased) - found.keys()
        return found

    def _take(self, client: Any, keys: list[bytes]) -> list[bytes]:
        with client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.set(_lease(key), b"", nx=True, px=round(self._duration * 1000))
            return [key for key, taken in zip(keys, pipe.execute(), strict=True) if taken]


def _leased(client: Any, keys: list[bytes]) -> set[bytes]:
    return {key for key, there in zip(keys, _each(client, "exists", keys), strict=True) if there}


def _each(client: Any, command: str, keys: list[bytes]) -> list[Any]:
    with client.pipeline(transaction=False) as pipe:
        for key in keys:
            getattr(pipe, command)(_lease(key))
        answers: list[Any] = pipe.execute()
        return answers


def _lease(key: bytes) -> bytes:
    return key + b":lease"
