"""Tells what a thread did with its time: computed, slept, or waited for a processor."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass

SCHEDULER_FILE = "/proc/thread-self/schedstat"
"""Linux: nanoseconds on a processor, nanoseconds ready but without one, count of turns."""


@dataclass(frozen=True)
class Spent:
    """What one thread spent. All in seconds.

    wall_s: passed, but for the time in which the thread was ready and no processor was free. So it
        is the same on a busy machine, or one whose container is throttled, as on an idle one. Where
        the system does not tell, that time counts.
    cpu_s: computed by this thread.
    process_cpu_s: computed by all threads of the process.
    """

    wall_s: float
    cpu_s: float
    process_cpu_s: float


class Stopwatch:
    """``Stopwatch()`` starts; ``spent()``, on the same thread, returns what was spent since."""

    def __init__(self) -> None:
        self._start = _now()

    def spent(self) -> Spent:
        wall, denied, cpu, process_cpu = (
            now - then for now, then in zip(_now(), self._start, strict=True)
        )
        return Spent(max(wall - denied, cpu), cpu, process_cpu)


def _now() -> tuple[float, float, float, float]:
    return time.perf_counter(), _denied_s(), time.thread_time(), time.process_time()


def _denied_s() -> float:
    """Return for how long this thread was ready while others had all processors; 0 if unknown."""
    with suppress(OSError, LookupError, ValueError), open(SCHEDULER_FILE, "rb") as file:
        return int(file.read().split()[1]) / 1e9
    return 0.0
