"""A link to Redis with threads of its own, a time budget for each look-up, and a breaker.

Whatever Redis, the network, DNS, TLS or a token service do, a request waits at most the budget for
a look-up, and never for a write. A few failures in a row open the breaker; then only a trial is
sent each second, which no request waits for. Connections are made on the link's threads too, so
that neither start-up nor a fork needs Redis.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import redis
from redis import exceptions

from azureml_scoring.caching.redis_breaker import RedisBreaker
from azureml_scoring.caching.redis_warnings import RedisWarnings
from azureml_scoring.caching.value import Unavailable
from azureml_scoring.shared.cache_counts import CacheCounts

T = TypeVar("T")
Operation = Callable[[Any], T]
"""Takes the client: ``redis.Redis`` or ``redis.RedisCluster``."""

MAX_READER_THREADS = 8
"""Eight threads make 8,000 look-ups a second in each worker, at a millisecond a round trip."""

MAX_PENDING_WRITES = 256
"""How many writes may wait for their thread; more are dropped."""


class RedisLink:
    """Runs operations on one client.

    ``connect`` makes the client, on one of the link's threads; ``trial`` is the operation that
    shows whether Redis is back; ``budget`` is the longest wait in seconds.
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
        self._readers = ThreadPoolExecutor(MAX_READER_THREADS, thread_name_prefix="redis-read")
        # One thread, so that writes keep their order.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="redis-write")
        self._pending = threading.BoundedSemaphore(MAX_PENDING_WRITES)
        self._trying = threading.Lock()
        self._breaker = RedisBreaker(self._counts, self._clock)
        self._warn = RedisWarnings()

    def try_early(self) -> None:
        """Connect before the first request does, so that the log shows early if that fails."""
        self.tell(self._trial)

    def available(self) -> bool:
        """False while the breaker is open; sends a trial if one is due."""
        if self._breaker.closed:
            return True
        if self._breaker.trial_due and self._trying.acquire(blocking=False):
            _submit(
                self._readers, lambda: self._read(self._trial, _Verdict()), self._trying.release
            )
        return False

    def ask(self, operation: Operation[T]) -> T:
        """Return the result of ``operation``. Raises Unavailable without one within the budget."""
        verdict = _Verdict()
        future = _submit(self._readers, lambda: self._read(operation, verdict))
        try:
            return future.result(timeout=self._budget)
        except TimeoutError:
            # If the cancel succeeds, the queue for a thread was slow and not Redis.
            if not future.cancel() and verdict.claim():
                self._breaker.record(failed=True)
            self._counts.add(redis_timeouts=1)
            raise Unavailable from None

    def tell(self, operation: Operation[object]) -> None:
        """Run ``operation`` some time later, in the order of the calls."""
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
            if verdict.claim():
                self._breaker.record(failed=True)
            raise Unavailable from None
        if verdict.claim():  # a late answer counts as a failure: its request has waited in vain
            late = time.monotonic() - began > self._budget
            self._counts.add(redis_timeouts=int(late))
            self._breaker.record(failed=late)
        return answer

    def _write(self, operation: Operation[object]) -> None:
        """Write; only an outage counts for the breaker, since neither a success nor a refusal says
        anything about reads."""
        if not self._breaker.closed:
            self._counts.add(redis_dropped=1)
            return
        try:
            operation(self._connected())
        except Exception as error:
            self._note(error)
            if not _refuses_writes(error):
                self._breaker.record(failed=True)

    def _connected(self) -> redis.Redis:
        with self._connecting:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _note(self, error: Exception) -> None:
        self._counts.add(redis_errors=1)
        self._warn(error)


class _Verdict:
    """The right to record one read, which counts once: when its caller gives up, or when it ends
    before that."""

    def __init__(self) -> None:
        self._unclaimed = [True]

    def claim(self) -> bool:
        """True for the first caller. Popping from a list is atomic, so this needs no lock."""
        try:
            return self._unclaimed.pop()
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
    """True if Redis is full, a replica, or without its disk: it can still be read."""
    return isinstance(
        error, exceptions.OutOfMemoryError | exceptions.ReadOnlyError
    ) or "MISCONF" in str(error)
