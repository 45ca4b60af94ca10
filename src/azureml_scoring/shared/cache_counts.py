"""Counts of one worker's cache, which the other workers can read."""

from __future__ import annotations

import threading
from collections.abc import Callable

from azureml_scoring.shared.scoreboard import WorkerRow


class CacheCounts:
    """Changes the ``CacheRow`` of this worker by field names. Thread-safe."""

    def __init__(self, row: Callable[[], WorkerRow]) -> None:
        self._row = row
        self._lock = threading.Lock()

    def add(self, **amounts: int) -> None:
        with self._lock:
            row = self._row().cache
            for name, amount in amounts.items():
                setattr(row, name, getattr(row, name) + amount)

    def set(self, **gauges: int) -> None:
        with self._lock:
            row = self._row().cache
            for name, value in gauges.items():
                setattr(row, name, value)
