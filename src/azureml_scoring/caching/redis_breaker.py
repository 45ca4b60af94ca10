"""The breaker of a link to Redis: opens after a few failures in a row, and reports its changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from circuitbreaker import STATE_HALF_OPEN, CircuitBreaker

from azureml_scoring import log
from azureml_scoring.shared.cache_counts import CacheCounts

FAILURES_TO_OPEN = 5
TRIAL_INTERVAL_S = 1

OPEN_MESSAGE = "Redis is left alone until it answers."
"""RedisDown.kql counts these log lines."""

OPEN_LOG_INTERVAL_S = 60.0


class RedisBreaker:
    """A thread-safe breaker. Its state stands in the counts, and in the log while it is open."""

    def __init__(self, counts: CacheCounts, clock: Callable[[], float]) -> None:
        self._counts = counts
        self._clock = clock
        self._breaker = CircuitBreaker(FAILURES_TO_OPEN, TRIAL_INTERVAL_S)
        self._lock = threading.Lock()
        self._was_open = False
        self._logged_at = 0.0

    @property
    def closed(self) -> bool:
        return bool(self._breaker.closed)

    @property
    def trial_due(self) -> bool:
        return bool(self._breaker.state == STATE_HALF_OPEN)

    def record(self, *, failed: bool) -> None:
        """Count one operation, and report if that opens or closes the breaker."""
        with self._lock:
            self._count(failed)
            is_open = not self.closed
            changed, self._was_open = is_open != self._was_open, is_open
            if changed:
                self._counts.set(redis_breaker_open=int(is_open))
            if changed or (is_open and self._clock() - self._logged_at >= OPEN_LOG_INTERVAL_S):
                self._logged_at = self._clock()
                log.event(OPEN_MESSAGE if is_open else "Redis answers again.")

    def _count(self, failed: bool) -> None:
        # CircuitBreaker has no public method to count a failure: it counts what its block raises.
        with suppress(_Failed), self._breaker:
            if failed:
                raise _Failed


class _Failed(Exception):
    """Raised inside of the breaker's block to count a failure."""
