"""Redis at arm's length: asked on threads of its own, waited for no longer than the budget, left
alone while it fails.

Whatever Redis, the network, DNS, TLS or a token service do, a request waits at most the budget for
a look-up, and never for a write. A few failures in a row open a breaker; then nothing is asked but
a trial each second, which no request waits for. Connections are made on those threads too, so that
neither start-up nor a fork needs Redis.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import redis
from circuitbreaker import STATE_HALF_OPEN, CircuitBreaker
from redis import exceptions

from azureml_scoring import log
from azureml_scoring.caching.redis_warnings import RedisWarnings
from azureml_scoring.caching.value import Unavailable
from azureml_scoring.shared.cache_counts import CacheCounts

T = TypeVar("T")
Operation = Callable[[Any], T]
"""Takes the client: ``redis.Redis`` or ``redis.RedisCluster``."""

READERS = 8
"""Threads in a worker; at a millisecond a round trip they make 8,000 look-ups a second."""

PENDING = 256
"""Writes that may wait for their thread; more are dropped."""

FAILURES = 5
TRIAL_EVERY = 1
"""Seconds."""

LEFT_ALONE, TELL_EVERY = "Redis is left alone until it answers.", 60.0
"""The log line on an open breaker, and the seconds until the next one. RedisDown.kql counts these
lines."""


class RedisLink:
    """``connect`` makes the client, on a thread of the link's; ``trial`` is asked to see whether
    Redis is back.

    ``budget`` in seconds.
    """

    def __init__(
        self,
        connect: Callable[[], redis.Redis],
        trial: Operation[object],
        counts: CacheCounts,
        *,
        budget: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._trial = trial
        self._counts = counts
        self._budget = budget
        self._clock = clock
        self._start()
        os.register_at_fork(after_in_child=self._start)

    def _start(self) -> None:
        self._client: redis.Redis | None = None
        self._connecting = threading.Lock()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="redis-read")
        self._writer = ThreadPoolExecutor(
            1, thread_name_prefix="redis-write"
        )  # one, so that writes keep their order
        self._pending = threading.BoundedSemaphore(PENDING)
        self._trying = threading.Lock()
        self._breaker = CircuitBreaker(FAILURES, TRIAL_EVERY)
        self._judging = threading.Lock()
        self._opened = False
        self._told_at = 0.0
        self._warn = RedisWarnings()

    def try_early(self) -> None:
        """Connect before the first request does, and tell early in the log if that fails."""
        self.tell(self._trial)

    def available(self) -> bool:
        """Not while the breaker is open."""
        if self._breaker.closed:
            return True
        if self._breaker.state == STATE_HALF_OPEN and self._trying.acquire(blocking=False):
            _submit(
                self._readers, lambda: self._read(self._trial, _Verdict()), self._trying.release
            )
        return False

    def ask(self, operation: Operation[T]) -> T:
        """Raises Unavailable where there is no answer within the budget."""
        verdict = _Verdict()
        future = _submit(self._readers, lambda: self._read(operation, verdict))
        try:
            return future.result(timeout=self._budget)
        except TimeoutError:
            if (
                not future.cancel() and verdict.mine()
            ):  # it is Redis that is slow, not the queue for a thread
                self._judge(failed=True)
            self._counts.add(redis_timeouts=1)
            raise Unavailable from None

    def tell(self, operation: Operation[object]) -> None:
        """In the order of the calls; nobody waits for it."""
        if self._pending.acquire(blocking=False):
            _submit(self._writer, lambda: self._write(operation), self._pending.release)
        else:
            self._counts.add(redis_dropped=1)

    def _read(self, operation: Operation[T], verdict: _Verdict) -> T:
        began = time.monotonic()
        try:
            answer = operation(self._connected())
        except Exception as error:
            self._note(error)
            if verdict.mine():
                self._judge(failed=True)
            raise Unavailable from None
        if verdict.mine():  # too late is as bad as never: a request waits in vain each time
            late = time.monotonic() - began > self._budget
            self._counts.add(redis_timeouts=int(late))
            self._judge(failed=late)
        return answer

    def _write(self, operation: Operation[object]) -> None:
        """Its success says nothing of reading, and a refusal neither: only an outage counts for the
        breaker."""
        if not self._breaker.closed:
            self._counts.add(redis_dropped=1)
            return
        try:
            operation(self._connected())
        except Exception as error:
            self._note(error)
            if not _refuses_writes(error):
                self._judge(failed=True)

    def _judge(self, *, failed: bool) -> None:
        """Tell the breaker; also the counts when it opens or closes, and the log while it stays
        open."""
        with self._judging:
            with contextlib.suppress(_Failed), self._breaker:
                if failed:
                    raise _Failed
            opened = not self._breaker.closed
            changed, self._opened = opened != self._opened, opened
            if changed:
                self._counts.set(redis_breaker_open=int(opened))
            if changed or (opened and self._clock() - self._told_at >= TELL_EVERY):
                self._told_at = self._clock()
                log.event(LEFT_ALONE if opened else "Redis answers again.")

    def _connected(self) -> redis.Redis:
        with self._connecting:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _note(self, error: Exception) -> None:
        self._counts.add(redis_errors=1)
        self._warn(error)


class _Failed(Exception):
    """For the breaker."""


class _Verdict:
    """Of one read, which counts once: when its caller gives up, or when it ends before that."""

    def __init__(self) -> None:
        self._to_be_given = [True]

    def mine(self) -> bool:
        """True for the first who asks: taking the last of a list is one step, which no thread
        interrupts."""
        try:
            return self._to_be_given.pop()
        except IndexError:
            return False


def _submit(
    threads: ThreadPoolExecutor, work: Callable[[], T], done: Callable[[], None] = lambda: None
) -> Future[T]:
    try:
        future = threads.submit(work)
    except RuntimeError:  # the interpreter is shutting down
        future = Future()
        future.set_exception(Unavailable())
    future.add_done_callback(lambda _: done())
    return future


def _refuses_writes(error: Exception) -> bool:
    """Full, a replica, or without its disk: it can still be read."""
    return isinstance(
        error, exceptions.OutOfMemoryError | exceptions.ReadOnlyError
    ) or "MISCONF" in str(error)
