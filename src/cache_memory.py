"""The tier in the process: least recently used out first, bounded in bytes."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from cachetools import TLRUCache

from cache_counts import CacheCounts
from cache_value import Entry

ENTRY_OVERHEAD = 600
"""Bytes that an entry takes beside its predictions, its key included: measured 460 to 560, held by a test."""


class MemoryTier:
    """Thread-safe. ``clock`` is in seconds since the epoch, as expiries are."""

    name, nearby = "memory", True

    def __init__(self, max_bytes: int, counts: CacheCounts, *, clock: Callable[[], float] = time.time) -> None:
        self._entries = _Entries(max_bytes, clock)
        self._counts = counts
        self._lock = threading.Lock()

    def available(self) -> bool:
        return True

    def get(self, keys: Iterable[bytes]) -> dict[bytes, Entry]:
        with self._lock:
            return {key: entry for key in keys if (entry := self._entries.get(key)) is not None}

    def put(self, entries: Mapping[bytes, Entry]) -> None:
        with self._lock:
            for key, entry in entries.items():
                with contextlib.suppress(ValueError):  # larger than the whole tier
                    self._entries[key] = entry
            self._counts.add(memory_evictions=self._entries.take_evicted())
            self._counts.set(memory_entries=len(self._entries), memory_bytes=int(self._entries.currsize))


class _Entries(TLRUCache[bytes, Entry]):
    """Counts what it had to let go before its time."""

    def __init__(self, max_bytes: int, clock: Callable[[], float]) -> None:
        super().__init__(max_bytes, lambda key, entry, now: entry.expires, clock, _size)
        self._evicted = 0

    def popitem(self) -> tuple[bytes, Entry]:
        self._evicted += 1
        return super().popitem()

    def take_evicted(self) -> int:
        evicted, self._evicted = self._evicted, 0
        return evicted


def _size(entry: Entry) -> int:
    return len(entry.predictions) + ENTRY_OVERHEAD
