import os
import threading
from typing import Any

import pytest
from redis import exceptions

from azureml_scoring.caching import redis_breaker
from azureml_scoring.caching.redis_breaker import FAILURES_TO_OPEN
from azureml_scoring.caching.redis_link import MAX_PENDING_WRITES, MAX_READER_THREADS, RedisLink
from azureml_scoring.caching.value import Unavailable
from azureml_scoring.shared.cache_counts import CacheCounts
from azureml_scoring.shared.scoreboard import WorkerRow
from fake_redis import Fake, eventually, fail, link
from redis_server import Valkey


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
