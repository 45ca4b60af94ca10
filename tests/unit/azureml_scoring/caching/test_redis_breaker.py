"""Redis is left alone after failures in a row, until a trial succeeds."""

import threading
import time
from typing import Any

import pytest
from redis import exceptions

from azureml_scoring.caching.redis_breaker import FAILURES_TO_OPEN
from azureml_scoring.caching.value import Unavailable
from azureml_scoring.shared.scoreboard import WorkerRow
from fake_redis import Fake, eventually, fail, link


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
