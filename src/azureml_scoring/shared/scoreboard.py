"""Counters and state of all worker processes of one server, in a small file that they map into
memory.

Each worker writes its own row and reads all rows, so no request waits for a lock between processes.
A worker that replaces a dead one goes on with its row: the counts stay, and requests that died with
it count as service errors.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import time
from collections.abc import Iterator
from typing import ClassVar

from azureml_scoring.errors import InternalError, StartupError
from azureml_scoring.shared.admission_row import AdmissionRow
from azureml_scoring.shared.measures import OUTCOMES, MeasureRecorder, Measures
from azureml_scoring.shared.shared_file import name_of, open_shared, process_born

MAX_WORKERS = 256


class WorkerPhase:
    """The state of a worker: STARTING takes no requests yet, LOADING takes and refuses them."""

    STARTING, LOADING, READY, FAILED, DRAINING = range(5)


class CacheRow(ctypes.Structure):
    """The counts of a worker's response cache. Counters stay when the worker dies, gauges do
    not."""

    COUNTERS: ClassVar[dict[str, str]] = {
        "hits": "Requests that were answered from the cache.",
        "misses": "Requests that were computed, since the cache did not hold all of their rows.",
        "bypasses": "Requests that did not use the cache.",
        "coalesced": "Entries that were not computed, since another request was computing them.",
        "memory_hits": "Entries found in memory.",
        "memory_evictions": "Entries that memory dropped to make room.",
        "redis_hits": "Entries found in Redis.",
        "redis_errors": "Commands that Redis failed.",
        "redis_timeouts": "Answers of Redis that came too late.",
        "redis_corrupt": "Entries in Redis that were damaged, and not used.",
        "redis_dropped": "Writes that were left out, since too many waited or Redis failed.",
    }
    """What each counts."""

    GAUGES = (
        "memory_entries", "memory_bytes", "memory_bypassed", "memory_look_up_us",
        "redis_bypassed", "redis_look_up_us", "redis_breaker_open", "compute_us",
    )  # fmt: skip
    _fields_ = [(name, ctypes.c_int64) for name in (*COUNTERS, *GAUGES)]


class WorkerRow(ctypes.Structure):
    """One worker. Times are of the monotonic clock, which all processes of a machine share; 0.0
    means never."""

    pid: int
    born: int
    phase: int
    non_finite: int
    data_dropped: int
    in_flight: int
    oldest_start: float
    full_since: float
    admission: AdmissionRow
    cache: CacheRow
    measures: Measures
    _fields_ = [
        ("pid", ctypes.c_int64),
        ("born", ctypes.c_int64),
        ("phase", ctypes.c_int64),
        ("non_finite", ctypes.c_int64),
        ("data_dropped", ctypes.c_int64),
        ("in_flight", ctypes.c_int64),
        ("oldest_start", ctypes.c_double),
        ("full_since", ctypes.c_double),
        ("admission", AdmissionRow),
        ("cache", CacheRow),
        ("measures", Measures),
    ]

    @property
    def alive(self) -> bool:
        return self.pid != 0 and self.born == process_born(self.pid)


class _Board(ctypes.Structure):
    started_at: float
    rows: ctypes.Array[WorkerRow]
    _fields_ = [("started_at", ctypes.c_double), ("rows", WorkerRow * MAX_WORKERS)]


class Scoreboard:
    """The rows of all workers. ``server_pid``: the process whose workers share the board, or this
    process itself."""

    def __init__(self, server_pid: int) -> None:
        self._server_pid = server_pid
        self._name = name_of(server_pid)
        self._file = open_shared(self._name, ctypes.sizeof(_Board))
        self._board = _Board.from_buffer(mmap.mmap(self._file, ctypes.sizeof(_Board)))
        self.mine: WorkerRow
        self.recorder: MeasureRecorder
        self.index: int
        self.claim(WorkerPhase.STARTING)
        os.register_at_fork(after_in_child=lambda: self.claim(self.mine.phase))  # WORKER_PRELOAD

    def claim(self, phase: int) -> None:
        """Take a free row, or that of a dead worker."""
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            self.index, self.mine = self._free_row()
            if not self._board.started_at:
                self._board.started_at = time.time()
            self.mine.measures.outcomes[OUTCOMES.index(InternalError.code)] += self.mine.in_flight
            self.mine.in_flight, self.mine.oldest_start, self.mine.full_since = 0, 0.0, 0.0
            for row in (self.mine.admission, self.mine.cache):
                for gauge in row.GAUGES:
                    setattr(row, gauge, 0)
            self.recorder = MeasureRecorder(self.mine.measures)
            self.mine.phase = phase
            self.mine.born, self.mine.pid = process_born(os.getpid()), os.getpid()
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def _free_row(self) -> tuple[int, WorkerRow]:
        for index, row in enumerate(self._board.rows):
            if not row.alive:
                return index, row
        raise StartupError(f"More than {MAX_WORKERS} workers; lower WORKER_COUNT.")

    def beside(self, name: str, size: int) -> int:
        """Open another file of so many bytes that all workers share. Raises StartupError."""
        # Each size has a file of its own: one made shorter would kill the processes that map it.
        return open_shared(f"{self._name}-{name}-{size}", size)

    @property
    def started_at(self) -> float:
        """The start of the first worker, in seconds since the epoch."""
        return self._board.started_at

    def rows(self) -> Iterator[WorkerRow]:
        """Return the rows of all workers, the dead ones included."""
        return (row for row in self._board.rows if row.pid)

    def workers(self) -> Iterator[WorkerRow]:
        """Return the rows of the workers that live, without a master that has only loaded the model
        for them (WORKER_PRELOAD)."""
        living = [row for row in self.rows() if row.alive]
        return iter([row for row in living if row.pid != self._server_pid] or living)
