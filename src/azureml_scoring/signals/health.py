"""The probes, and the counters behind them, summed over all workers of the server.

Busy is not dead: liveness fails only if loading failed or a score is stuck. Readiness also fails
while the model loads, while the server drains, and when every slot has been taken for longer than
the deadline. Neither depends on anything outside of these processes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from azureml_scoring.errors import Overloaded
from azureml_scoring.models.lifecycle import Lifecycle
from azureml_scoring.request import CacheState, Outcome
from azureml_scoring.shared.admission_row import offered_load
from azureml_scoring.shared.cache_counts import CacheCounts
from azureml_scoring.shared.measures import OK
from azureml_scoring.shared.scoreboard import Scoreboard, WorkerPhase
from azureml_scoring.signals.cache_report import report

Probe = tuple[dict[str, Any], int]
"""Body and status."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts since the server started, over all its workers, the dead ones included."""

    requests: int
    client_errors: int
    service_errors: int
    non_finite: int
    started_at: float


class Health:
    """Answers the probes. Times in seconds; ``clock``: the monotonic clock of the scoreboard."""

    def __init__(
        self,
        board: Scoreboard,
        lifecycle: Lifecycle,
        *,
        deployment: str,
        cache_tiers: Sequence[str] = (),
        saturated_after: float,
        stuck_after: float,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._board = board
        self._lifecycle = lifecycle
        self._deployment = deployment
        self._cache_tiers = cache_tiers
        self._saturated_after = saturated_after
        self._stuck_after = stuck_after
        self._clock = clock
        self._now = now

    def counts(self) -> Counts:
        rows = list(self._board.rows())
        return Counts(
            sum(row.measures.requests for row in rows),
            sum(row.measures.client_errors for row in rows),
            sum(row.measures.service_errors for row in rows),
            sum(row.non_finite for row in rows),
            self._board.started_at,
        )

    def health(self) -> Probe:
        """Return 200 if the model is loaded, else 503, and the counters."""
        model, counts = self._lifecycle.loaded, self.counts()
        workers = list(self._board.workers())
        admission = [worker.admission for worker in workers]
        body = {
            "status": "healthy" if model else "unhealthy",
            "model_loaded": model is not None,
            "model_name": model.name if model else None,
            "model_version": model.version if model else None,
            "backend": model.backend if model else None,
            "estimator": model.estimator if model else None,
            "runtime": model.runtime if model else None,
            "deployment": self._deployment,
            "uptime_seconds": round(self._now() - counts.started_at, 2),
            "total_requests": counts.requests,
            "error_count": counts.service_errors,
            "client_error_count": counts.client_errors,
            "error_rate_percent": round(100 * counts.service_errors / max(counts.requests, 1), 2),
            "non_finite_count": counts.non_finite,
            "in_flight": sum(worker.in_flight for worker in workers),
            "slots": sum(row.slots for row in admission),
            "concurrency": model.concurrency.reason if model and model.concurrency else None,
            "micro_batching": model.joint_rows_reason if model else None,
            "waiting": sum(row.waiting for row in admission),
            "offered_load": round(offered_load(admission, self._clock()), 3),
            "not_ready": self._why_not_ready(),
            "version_skew": list(model.version_skew) if model else [],
            "cache": report(
                self._cache_tiers,
                (row.cache for row in self._board.rows()),
                (worker.cache for worker in workers),
                cacheable=model is None or model.cacheable,
            ),
        }
        return body, HTTPStatus.OK if model else HTTPStatus.SERVICE_UNAVAILABLE

    def readiness(self) -> Probe:
        return _probe("ready", self._why_not_ready())

    def liveness(self) -> Probe:
        return _probe("alive", self._why_not_alive())

    def _why_not_ready(self) -> str | None:
        phase, workers, now = self._lifecycle.phase, list(self._board.workers()), self._clock()
        if phase == WorkerPhase.DRAINING:
            return "The server is shutting down."
        if phase == WorkerPhase.STARTING or any(
            worker.phase == WorkerPhase.LOADING for worker in workers
        ):
            return "The model is still loading."
        if any(_longer(worker.full_since, now, self._saturated_after) for worker in workers):
            return "Every slot has been taken for longer than the deadline."
        return self._why_not_alive()

    def _why_not_alive(self) -> str | None:
        workers, now = list(self._board.workers()), self._clock()
        if self._lifecycle.failure:
            return self._lifecycle.failure
        if any(worker.phase == WorkerPhase.FAILED for worker in workers):
            return "The model did not load in another worker; the log says why."
        if any(_longer(worker.oldest_start, now, self._stuck_after) for worker in workers):
            return f"A score has been running for more than {self._stuck_after:g} seconds."
        return None


CACHE_COUNTERS = {CacheState.HIT: "hits", CacheState.MISS: "misses", CacheState.BYPASS: "bypasses"}


class RequestCounter:
    """A hook for ``Service`` that counts each request in the scoreboard."""

    def __init__(self, board: Scoreboard, cache: CacheCounts) -> None:
        self._board = board
        self._cache = cache
        self._lock = threading.Lock()

    def __call__(self, outcome: Outcome) -> None:
        with self._lock:
            self._board.recorder.add(
                outcome.error.code if outcome.error else OK, outcome.rows, outcome.seconds
            )
            if isinstance(outcome.error, Overloaded):
                self._board.mine.admission.refuse(outcome.error.reason)
            if outcome.non_finite:
                self._board.mine.non_finite += outcome.non_finite
        if outcome.cache is not CacheState.OFF:
            self._cache.add(**{CACHE_COUNTERS[outcome.cache]: 1})


def _longer(since: float, now: float, limit: float) -> bool:
    """True if ``since`` is longer ago than ``limit``. It is an argument because it must be read
    once: another process may set it to 0.0, never, at any moment."""
    return since != 0.0 and now - since > limit


def _probe(good: str, why_not: str | None) -> Probe:
    if why_not is None:
        return {"status": good}, HTTPStatus.OK
    return {"status": f"not {good}", "reason": why_not}, HTTPStatus.SERVICE_UNAVAILABLE
