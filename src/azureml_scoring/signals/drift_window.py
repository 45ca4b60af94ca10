"""Requests by bin, hour by hour for a day and in all, in a file that a server's workers share.

A row that comes again and again is one client's, not many: it counts until it holds a share of the
requests that the sample does not have.
"""

from __future__ import annotations

import fcntl
import mmap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

WINDOW_HOURS = 24
"""A day: at each hour of it traffic may be another."""

HOUR_S = 3600

BURST_REQUESTS, HOURLY_REQUESTS = 10_000, 20_000
"""How many requests of an hour count: the first ones at once, the others as the hour goes on. More
would say no more, and cost time."""

ROW_SLOTS = 2**20
"""Counters of rows, by a checksum of theirs. Two rows that share one count as one row, whatever
their values are."""


class DriftWindow:
    """``file``: of ``size(width)`` bytes; ``width``: bins of all columns."""

    def __init__(self, file: int, width: int) -> None:
        self._file = file
        self.width = width
        memory = mmap.mmap(file, self.size(width))
        self._shared = np.frombuffer(memory, dtype=_layout(width), count=1)

    @staticmethod
    def size(width: int) -> int:
        return _layout(width).itemsize

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other workers from counting. A worker that dies lets go."""
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def open_hour(self, now: float) -> np.ndarray | None:
        """Return the bins of the hour before, once, by the first call of an hour that has one.
        ``now``: seconds since the epoch."""
        hour = int(now // HOUR_S)
        place = hour % WINDOW_HOURS
        if self._part("hours")[place] == hour:
            return None
        last = self._part("hours") == hour - 1
        finished = self._part("counts")[last].sum(axis=0) if last.any() else None
        self._part("hours")[place] = hour
        self._part("counts")[place] = 0
        self._part("requests")[place] = 0
        if self._part("day")[0] != hour // WINDOW_HOURS:
            self._part("day")[0] = hour // WINDOW_HOURS
            self._part("rows")[:] = 0
        return finished

    def take(self, now: float, requests: int) -> int:
        """Return how many of so many requests count, and note them. Call ``open_hour`` first."""
        place = int(now // HOUR_S) % WINDOW_HOURS
        elapsed = now % HOUR_S / HOUR_S
        most = int(BURST_REQUESTS + (HOURLY_REQUESTS - BURST_REQUESTS) * elapsed)
        count = max(0, min(requests, most - int(self._part("requests")[place])))
        self._part("requests")[place] += count
        return count

    def first_times(self, rows: Sequence[int], most_share: float) -> np.ndarray:
        """Tell for each row, given by its checksum, whether it counts: it holds no more than this
        share of the window's requests, or is there for the first time."""
        most = 1 + most_share * float(self._part("requests").sum())
        slots = np.array(rows) % ROW_SLOTS
        _, first, of_row, times = np.unique(
            slots, return_index=True, return_inverse=True, return_counts=True
        )
        before = self._part("rows")[slots].astype(np.int64)
        order = np.argsort(of_row, kind="stable")
        rank = np.empty(len(slots), np.int64)
        rank[order] = np.arange(len(slots)) - np.repeat(np.cumsum(times) - times, times)
        self._part("rows")[slots[first]] += times.astype(np.uint32)
        counts: np.ndarray = before + rank + 1 <= most
        return counts

    def add(self, now: float, counts: np.ndarray) -> None:
        self._part("counts")[int(now // HOUR_S) % WINDOW_HOURS] += counts
        self._part("totals")[:] += counts

    def recent(self, now: float) -> np.ndarray:
        """Return the bins of the last day."""
        recent = self._part("hours") > int(now // HOUR_S) - WINDOW_HOURS
        window: np.ndarray = self._part("counts")[recent].sum(axis=0)
        return window

    @property
    def totals(self) -> np.ndarray:
        """The bins since the server's start."""
        return self._part("totals").copy()

    def _part(self, name: str) -> np.ndarray:
        part: np.ndarray = self._shared[name][0]
        return part


def _layout(width: int) -> np.dtype:
    return np.dtype(
        [
            ("hours", np.int64, (WINDOW_HOURS,)),
            ("requests", np.int64, (WINDOW_HOURS,)),
            ("counts", np.float64, (WINDOW_HOURS, width)),
            ("totals", np.float64, (width,)),
            ("day", np.int64, (1,)),
            ("rows", np.uint32, (ROW_SLOTS,)),
        ]
    )
