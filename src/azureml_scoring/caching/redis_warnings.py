"""What the log says of a Redis that fails: the kind of failure and what to do about it, once a
minute."""

from __future__ import annotations

import logging
import time

from redis import exceptions

from azureml_scoring import log

WARN_EVERY = 60.0
"""Seconds between two log lines on one kind of failure."""

ADVICE: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.AuthenticationError, "check REDIS_PASSWORD, or the identity's access policy"),
    (exceptions.NoPermissionError, "allow its user GET, SET, EXISTS and UNLINK"),
    (exceptions.MovedError, "it is a cluster: set REDIS_CLUSTER=true"),
    (
        exceptions.TimeoutError,
        "it is slow or can't be reached: check the network, its load and REDIS_PORT",
    ),
    (
        exceptions.ConnectionError,
        "check that it runs, REDIS_HOST, REDIS_PORT, REDIS_SSL and its certificate",
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
    """Of one link to Redis: ``warn(error)`` is called for each failure, and writes what has not
    been said of late."""

    def __init__(self) -> None:
        self._told: dict[type[Exception], float] = {}

    def __call__(self, error: Exception) -> None:
        """Names the kind of failure, not its message: that may hold what is secret."""
        kind, now = type(error), time.monotonic()
        if now - self._told.get(kind, -WARN_EVERY) < WARN_EVERY:
            return
        self._told[kind] = now
        advice = next(
            (advice for known, advice in ADVICE if isinstance(error, known)), "see docs/cache.md"
        )
        log.event(
            f"Redis failed ({kind.__name__}), scoring goes on without it; {advice}.",
            logging.WARNING,
        )
