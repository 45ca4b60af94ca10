"""Log lines on a Redis that fails: the kind of failure and what to do about it, once a minute."""

from __future__ import annotations

import logging
import time

from redis import exceptions

from azureml_scoring import log

WARNING_INTERVAL_S = 60.0
"""Between two log lines on one kind of failure."""

ADVICE: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.AuthenticationError, "check REDIS_PASSWORD, or the identity's access policy"),
    (exceptions.NoPermissionError, "allow its user GET, SET, EXISTS and UNLINK"),
    (exceptions.MovedError, "it is a cluster: set REDIS_CLUSTER=true"),
    (
        exceptions.TimeoutError,
        "it is slow or can't be reached: check the network, the load on Redis and REDIS_PORT",
    ),
    (
        exceptions.ConnectionError,
        "check that it runs, and check REDIS_HOST, REDIS_PORT, REDIS_SSL and its certificate",
    ),
    (
        exceptions.RedisClusterException,
        "check what REDIS_CLUSTER=true needs: a cluster, its host, port and certificate",
    ),
    (
        exceptions.OutOfMemoryError,
        "set its maxmemory-policy to allkeys-lru, or give it more memory",
    ),
    (exceptions.ReadOnlyError, "connect to the primary, not to a replica"),
)


class RedisWarnings:
    """Warnings about one link to Redis, which calls ``warn(error)`` for each failure."""

    def __init__(self) -> None:
        self._logged_at: dict[type[Exception], float] = {}

    def __call__(self, error: Exception) -> None:
        """Log the kind of failure, unless that was done of late. The message of ``error`` is left
        out: it may hold secrets."""
        kind, now = type(error), time.monotonic()
        if now - self._logged_at.get(kind, -WARNING_INTERVAL_S) < WARNING_INTERVAL_S:
            return
        self._logged_at[kind] = now
        advice = next(
            (advice for known, advice in ADVICE if isinstance(error, known)), "see docs/cache.md"
        )
        log.event(
            f"Redis failed ({kind.__name__}), scoring goes on without it; {advice}.",
            logging.WARNING,
        )
