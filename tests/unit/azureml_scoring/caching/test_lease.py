"""Leases in Redis: of equal requests in several processes one computes."""

import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from azureml_scoring.errors import ModelFailed
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.request import ANYTHING, CacheState
from counted_cache import MODEL, Setup, until
from redis_server import Valkey, valkey


@pytest.fixture
def processes(redis_server: Valkey) -> list[Setup]:
    """Two processes that share a Redis and take leases."""
    return [Setup("memory and redis", redis_server, lease=10) for _ in range(2)]


def test_with_leases_equal_requests_in_several_processes_are_computed_once(processes: list[Setup]):
    """The second process waits for what the first stores."""
    first, second = processes
    started, go = threading.Event(), threading.Event()
    first.compute.hold = lambda: (started.set(), go.wait(30))
    with ThreadPoolExecutor(2) as threads:
        leader = threads.submit(first.ask, [[1, 2]])
        started.wait(30)
        follower = threads.submit(second.ask, [[1, 2]])
        until(follower.running)
        time.sleep(0.05)
        go.set()
        assert leader.result() == ([2.0], CacheState.MISS)
        assert follower.result() == ([2.0], CacheState.HIT)
    assert second.compute.calls == 0


def test_with_leases_a_process_that_comes_late_computes_nothing(
    processes: list[Setup], redis_server: Valkey, monkeypatch: pytest.MonkeyPatch
):
    """The other one may have stored the answer between its look-up and its lease."""
    first, second = processes
    leases = second.cache._leases
    assert leases
    take = leases.take

    def take_late(keys: Iterable[bytes]) -> list[bytes]:
        assert first.ask([[1, 2]]) == ([2.0], CacheState.MISS)
        until(lambda: redis_server.admin.keys() and not redis_server.admin.keys("*:lease"))
        return take(keys)

    monkeypatch.setattr(leases, "take", take_late)
    assert second.ask([[1, 2]]) == ([2.0], CacheState.HIT)
    assert second.compute.calls == 0


def test_with_leases_a_failed_leader_releases_the_other_processes(processes: list[Setup]):
    """They compute at once, not only when the lease expires."""
    first, second = processes
    first.compute.error = ModelFailed("no")
    with pytest.raises(ModelFailed):
        first.ask([[1, 2]])
    began = time.monotonic()
    assert second.ask([[1, 2]]) == ([2.0], CacheState.MISS)
    assert time.monotonic() - began < 10


def test_with_leases_a_leader_that_died_holds_nobody_up_for_longer_than_the_lease(
    redis_server: Valkey,
):
    """Nobody releases the lease of a dead process; it expires."""
    dead, living = (Setup("redis", redis_server, lease=0.2) for _ in range(2))
    assert dead.cache._leases
    batch = Batch(np.array([[1.0, 2.0]]), "predict")
    key = dead.cache._units(MODEL, batch).keys
    assert dead.cache._leases.take(key) == key
    assert living.ask([[1, 2]]) == ([2.0], CacheState.MISS)


def test_with_leases_a_request_keeps_time_to_compute_itself(redis_server: Valkey):
    """It waits for at most half of the time left until its deadline, however long the lease is."""
    dead, living = (Setup("redis", redis_server, lease=60) for _ in range(2))
    assert dead.cache._leases
    batch = Batch(np.array([[1.0, 2.0]]), "predict")
    dead.cache._leases.take(dead.cache._units(MODEL, batch).keys)
    due = time.monotonic() + 4
    answer = living.cache.predictions(MODEL, batch, ANYTHING, living.compute, due)
    assert time.monotonic() < due
    assert answer.state is CacheState.MISS


def test_with_leases_and_without_redis_each_computes():
    """A lease only saves work, and is not asked for while the breaker is open."""
    with valkey() as server:
        setup = Setup("memory and redis", server, lease=10)
    for i in range(20):
        assert setup.ask([[i, 2]]) == ([2.0 * i], CacheState.MISS)
    assert setup.row.cache.redis_breaker_open
    setup.cache._leases = object()  # any use of it would raise
    assert setup.ask([[99, 2]]) == ([198.0], CacheState.MISS)
