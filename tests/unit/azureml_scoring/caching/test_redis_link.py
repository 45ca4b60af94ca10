import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from redis import exceptions

from azureml_scoring import log
from azureml_scoring.caching import redis_breaker
from azureml_scoring.caching.redis_breaker import FAILURES_TO_OPEN
from azureml_scoring.caching.redis_link import MAX_PENDING_WRITES, MAX_READER_THREADS, RedisLink
from azureml_scoring.caching.value import Unavailable
from azureml_scoring.shared.cache_counts import CacheCounts
from azureml_scoring.shared.scoreboard import WorkerRow
from redis_server import Valkey


@pytest.fixture
def row() -> WorkerRow:
    return WorkerRow()


@pytest.fixture
def logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], list[str]]:
    monkeypatch.setattr(log.logger, "propagate", True)
    caplog.set_level(logging.INFO, "scoring")
    return lambda: caplog.messages


class Fake:
    """A stand-in for Redis: the client is this object, and an operation calls it."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.error:
            raise self.error
        return "answer"


def link(fake: Any, row: WorkerRow, budget: float = 5.0) -> RedisLink:
    return RedisLink(lambda: fake, lambda client: client(), CacheCounts(lambda: row), budget=budget)


def fail(asked: RedisLink, times: int = FAILURES_TO_OPEN) -> None:
    for _ in range(times):
        with pytest.raises(Unavailable):
            asked.ask(lambda client: client())


def eventually(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_what_redis_answers_is_handed_on(row: WorkerRow):
    """An operation runs on a thread of the link and returns its result."""
    assert link(Fake(), row).ask(
        lambda client: (client(), threading.current_thread().name[:10])
    ) == (
        "answer",
        "redis-read",
    )


def test_nothing_is_connected_before_it_is_needed(row: WorkerRow):
    """Start-up does not need Redis."""

    def connect() -> Any:
        raise exceptions.ConnectionError

    lazy = RedisLink(connect, lambda client: None, CacheCounts(lambda: row), budget=5)
    assert lazy.available()
    assert row.cache.redis_errors == 0
    with pytest.raises(Unavailable):
        lazy.ask(lambda client: client())


def test_a_request_waits_no_longer_than_the_budget_even_if_redis_never_answers(row: WorkerRow):
    """This holds without any timeout of a socket, as in DNS, and with all threads taken by such
    calls."""
    never, asked = threading.Event(), link(Fake(), row, budget=0.05)
    for _ in range(MAX_READER_THREADS + 2):
        with pytest.raises(Unavailable):
            asked.ask(lambda client: never.wait(60))
    assert not never.is_set()
    assert not asked.available()
    assert row.cache.redis_timeouts == MAX_READER_THREADS + 2
    never.set()


def test_waiting_for_a_thread_is_no_failure_of_redis(row: WorkerRow):
    """Many look-ups at once do not open the breaker: those that only queued never reached Redis."""
    release = threading.Event()
    asked = link(Fake(), row, budget=0.05)
    for _ in range(MAX_READER_THREADS):
        asked._readers.submit(release.wait, 60)
    fail(asked, 2 * FAILURES_TO_OPEN)
    assert asked.available()
    release.set()


def test_after_failures_in_a_row_redis_is_left_alone_until_a_trial_succeeds(row: WorkerRow):
    """A trial is sent each second, and no request waits for it."""
    fake = Fake()
    asked = link(fake, row)
    fake.error = exceptions.ConnectionError()
    fail(asked)
    assert not asked.available()
    assert row.cache.redis_breaker_open == 1
    calls = fake.calls
    assert not any(asked.available() for _ in range(100))
    assert fake.calls <= calls + 1
    eventually(lambda: not asked.available() and fake.calls > calls)
    fake.error = None
    eventually(asked.available)
    assert row.cache.redis_breaker_open == 0
    assert asked.ask(lambda client: client()) == "answer"


def test_single_failures_change_nothing(row: WorkerRow):
    """Only failures in a row open the breaker."""
    fake = Fake()
    asked = link(fake, row)
    for _ in range(3 * FAILURES_TO_OPEN):
        fake.error = exceptions.ConnectionError()
        fail(asked, FAILURES_TO_OPEN - 1)
        fake.error = None
        asked.ask(lambda client: client())
    assert asked.available()
    assert row.cache.redis_errors == 3 * FAILURES_TO_OPEN * (FAILURES_TO_OPEN - 1)


@pytest.mark.parametrize(
    "refusal",
    [
        exceptions.OutOfMemoryError(),
        exceptions.ReadOnlyError(),
        exceptions.ResponseError("MISCONF can't persist"),
    ],
)
def test_redis_that_refuses_writes_is_still_read(row: WorkerRow, refusal: Exception):
    """If Redis is full, a replica, or without its disk, writes fail and are counted, but the
    breaker stays closed."""
    fake = Fake()
    asked = link(fake, row)
    fake.error = refusal
    for _ in range(3 * FAILURES_TO_OPEN):
        asked.tell(lambda client: client())
    eventually(lambda: row.cache.redis_errors == 3 * FAILURES_TO_OPEN)
    assert asked.available()


def test_writes_that_succeed_do_not_hide_that_reads_fail(row: WorkerRow):
    """The breaker opens, so that requests do not wait for reads in vain."""
    fake = Fake()
    asked = link(fake, row)
    for _ in range(FAILURES_TO_OPEN):
        assert asked.available()
        written = threading.Event()
        asked.tell(lambda client, written=written: written.set())
        assert written.wait(30)
        fake.error = exceptions.TimeoutError()
        fail(asked, 1)
        fake.error = None
    assert not asked.available()


def test_redis_that_is_always_just_too_late_is_left_alone(row: WorkerRow):
    """The breaker opens, so that requests do not wait for the whole budget in vain."""
    asked = link(Fake(), row, budget=0.02)
    waits = 0
    while asked.available():
        with pytest.raises(Unavailable):
            asked.ask(lambda client: time.sleep(0.04))
        waits += 1
    assert waits <= FAILURES_TO_OPEN
    assert row.cache.redis_errors == 0


def test_a_slow_failure_counts_once(row: WorkerRow):
    """It does not count when the request gives up and again when the socket does."""
    asked = link(Fake(), row, budget=0.02)
    failed = threading.Semaphore(0)

    def slow_failure(client: Any) -> None:
        time.sleep(0.04)
        failed.release()
        raise exceptions.TimeoutError

    for _ in range(FAILURES_TO_OPEN - 1):
        with pytest.raises(Unavailable):
            asked.ask(slow_failure)
    for _ in range(FAILURES_TO_OPEN - 1):
        failed.acquire(timeout=30)
    eventually(lambda: row.cache.redis_errors == FAILURES_TO_OPEN - 1)
    assert asked.available()


def test_writes_that_wait_while_redis_fails_are_dropped(row: WorkerRow):
    """They are not sent, and do not delay the end of the process."""
    fake = Fake()
    asked = link(fake, row)
    release = threading.Event()
    asked.tell(lambda client: release.wait(60))
    for _ in range(50):
        asked.tell(lambda client: client())
    fake.error = exceptions.ConnectionError()
    fail(asked)
    calls = fake.calls
    release.set()
    eventually(lambda: row.cache.redis_dropped == 50)
    assert fake.calls == calls


def test_nothing_is_asked_while_the_interpreter_shuts_down(row: WorkerRow):
    """A request that is still being answered does without Redis."""
    asked = link(Fake(), row)
    asked._readers.shutdown()
    asked._writer.shutdown()
    fail(asked, 1)
    asked.tell(lambda client: client())


def test_writes_keep_their_order_and_nobody_waits_for_them(row: WorkerRow):
    """This holds even if the first write takes long."""
    release, done = threading.Event(), list[int]()
    asked = link(Fake(), row)
    asked.tell(lambda client: release.wait(60))
    for i in range(20):
        asked.tell(lambda client, i=i: done.append(i))
    assert done == []
    release.set()
    eventually(lambda: len(done) == 20)
    assert done == list(range(20))


def test_writes_beyond_the_queue_are_dropped_and_counted(row: WorkerRow):
    """Memory is bounded while Redis is slow."""
    release = threading.Event()
    asked = link(Fake(), row)
    for _ in range(MAX_PENDING_WRITES + 10):
        asked.tell(lambda client: release.wait(60))
    assert row.cache.redis_dropped == 10
    release.set()


def test_the_log_names_the_failure_and_what_to_do_and_no_secret(
    row: WorkerRow, logged: Callable[[], list[str]]
):
    """Each kind is logged once a minute, without the error's message: it may hold an address or a
    password."""
    fake = Fake()
    asked = link(fake, row)
    fake.error = exceptions.AuthenticationError("WRONGPASS for hunter2")
    fail(asked, 2 * FAILURES_TO_OPEN)
    (line,) = [message for message in logged() if "AuthenticationError" in message]
    assert "check REDIS_PASSWORD" in line
    assert "hunter2" not in "".join(logged())
    assert "Redis is left alone until it answers." in logged()


def test_the_log_says_once_a_minute_that_redis_still_fails(
    row: WorkerRow, logged: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
):
    """The lines go on while requests need Redis: RedisDown counts them."""
    monkeypatch.setattr(redis_breaker, "TRIAL_INTERVAL_S", 0.001)
    fake, clock = Fake(), [1000.0]
    asked = RedisLink(
        lambda: fake,
        lambda client: client(),
        CacheCounts(lambda: row),
        budget=5,
        clock=lambda: clock[0],
    )
    fake.error = exceptions.ConnectionError()
    fail(asked)

    def told_after_a_trial() -> int:
        before = fake.calls
        eventually(lambda: not asked.available() and fake.calls > before)
        eventually(lambda: not asked._trying.locked())
        return logged().count("Redis is left alone until it answers.")

    assert told_after_a_trial() == 1
    clock[0] += 59
    assert told_after_a_trial() == 1
    clock[0] += 2
    assert told_after_a_trial() == 2


def test_an_answer_that_comes_too_late_is_counted(row: WorkerRow, monkeypatch: pytest.MonkeyPatch):
    """A trial's counts too, though nobody waits for it: else a slow Redis would show no
    failures."""
    monkeypatch.setattr(redis_breaker, "TRIAL_INTERVAL_S", 0.001)
    fake = Fake()
    asked = link(fake, row)
    fake.error = exceptions.ConnectionError()
    fail(asked)
    fake.error = None
    asked._budget = 0
    eventually(lambda: not asked.available() and row.cache.redis_timeouts > 0)
    assert row.cache.redis_breaker_open == 1


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_worker_connects_anew(row: WorkerRow, redis_server: Valkey):
    """It can't use the threads and connections of its parent."""
    asked = RedisLink(redis_server.connect, lambda client: None, CacheCounts(lambda: row), budget=5)
    parents = asked.ask(lambda client: client.client_id())
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(writer, str(asked.ask(lambda client: client.client_id())).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    childs = int(os.read(reader, 100))
    assert childs != parents
    assert asked.ask(lambda client: client.client_id()) == parents
