"""The tier in the memory of a worker: bounded in bytes, evicts the least recently used entry."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping

from azureml_scoring.caching.value import Entry
from azureml_scoring.shared.cache_counts import CacheCounts

ENTRY_OVERHEAD_BYTES = 530
"""Memory of an entry beside its key and its predictions: the process grew by 480 to 560."""


class MemoryTier:
    """A thread-safe tier. ``clock``: seconds since the epoch, as for expiries."""

    name, nearby = "memory", True

    def __init__(
        self, max_bytes: int, counts: CacheCounts, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._max_bytes = max_bytes
        self._counts = counts
        self._clock = clock
        self._entries = OrderedDict[bytes, Entry]()
        """The least recently used first."""
        self._bytes = 0
        self._lock = threading.Lock()

    def available(self) -> bool:
        return True

    def get(self, keys: Iterable[bytes], rows: int | None = None) -> dict[bytes, Entry]:
        now = self._clock()
        with self._lock:
            entries = {
                key: entry
                for key in keys
                if (entry := self._entries.get(key)) and entry.expires > now
            }
            for key in entries:
                self._entries.move_to_end(key)
        return entries

    def put(self, entries: Mapping[bytes, Entry]) -> None:
        with self._lock:
            for key, entry in entries.items():
                self._remove(key)
                if (size := _size(key, entry)) <= self._max_bytes:
                    self._entries[key] = Entry(_copy(entry.predictions), entry.expires)
                    self._bytes += size
            self._counts.add(memory_evictions=self._make_room())
            self._counts.set(memory_entries=len(self._entries), memory_bytes=self._bytes)

    def _remove(self, key: bytes) -> None:
        if old := self._entries.pop(key, None):
            self._bytes -= _size(key, old)

    def _make_room(self) -> int:
        """Evict what does not fit; return how many of these entries had not expired."""
        now, evicted = self._clock(), 0
        while self._bytes > self._max_bytes:
            key, entry = next(iter(self._entries.items()))
            evicted += entry.expires > now
            self._remove(key)
        return evicted


def _size(key: bytes, entry: Entry) -> int:
    return len(key) + len(entry.predictions) + ENTRY_OVERHEAD_BYTES


def _copy(predictions: bytes) -> bytes:
    """Copy into a buffer of the right size: that of ``orjson`` has kilobytes, however few are
    used."""
    return bytes(memoryview(predictions))
