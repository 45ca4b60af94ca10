"""What the cache of one worker counts, where the other workers see it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from azureml_scoring.shared.scoreboard import WorkerRow


class CacheCounts:
    """``names`` are the ``cache_`` fields of the scoreboard's row. Thread-safe."""

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
