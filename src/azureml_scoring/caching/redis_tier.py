"""The tier in Redis, which workers and pods share: one round trip to look up, and one to store,
which nobody waits for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from azureml_scoring.caching.redis_link import RedisLink
from azureml_scoring.caching.value import MAX_JSON_BYTES, Corrupt, Entry, Seal
from azureml_scoring.shared.cache_counts import CacheCounts


class RedisTier:
    """A tier whose values are signed with ``secret``, if there is one. ``clock``: seconds since the
    epoch, as for expiries."""

    name, nearby = "redis", False

    def __init__(
        self,
        link: RedisLink,
        counts: CacheCounts,
        *,
        secret: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._link = link
        self._counts = counts
        self._seal = Seal(secret)
        self._clock = clock

    def available(self) -> bool:
        return self._link.available()

    def get(self, keys: Iterable[bytes], rows: int | None = None) -> dict[bytes, Entry]:
        """Return the entries that are intact and have not expired; remove corrupt ones. Raises
        Unavailable."""
        key_list = list(keys)
        values = self._link.ask(lambda client: _read(client, key_list))
        entries, corrupt = {}, []
        for key, value in zip(key_list, values, strict=True):
            if value is None:
                continue
            try:
                entry = self._seal.open(key, value, rows)
            except Corrupt:
                corrupt.append(key)
                continue
            if entry.expires > self._clock():
                entries[key] = entry
        if corrupt:
            self._counts.add(redis_corrupt=len(corrupt))
            self._link.tell(lambda client: _remove(client, corrupt))
        return entries

    def put(self, entries: Mapping[bytes, Entry]) -> None:
        self._link.tell(lambda client: self._write(client, entries))

    def _write(self, client: Any, entries: Mapping[bytes, Entry]) -> None:
        with client.pipeline(transaction=False) as pipe:
            for key, entry in entries.items():
                lifetime = round((entry.expires - self._clock()) * 1000)
                if lifetime > 0 and len(entry.predictions) <= MAX_JSON_BYTES:
                    pipe.set(key, self._seal.close(key, entry), px=lifetime)
            pipe.execute()


def _read(client: Any, keys: list[bytes]) -> list[bytes | None]:
    """Read with one command a key, since the keys may be on several nodes of a cluster."""
    with client.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.get(key)
        return [_value(answer) for answer in pipe.execute(raise_on_error=False)]


def _value(answer: object) -> bytes | None:
    if answer is None or isinstance(answer, bytes):
        return answer
    if isinstance(answer, Exception) and "WRONGTYPE" not in str(answer):
        raise answer
    return b""  # another type than ours: corrupt


def _remove(client: Any, keys: list[bytes]) -> None:
    with client.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.unlink(key)
        pipe.execute()
