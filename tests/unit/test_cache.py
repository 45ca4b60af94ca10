"""The promises of the cache to a request, with any tiers."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import support
from azureml_scoring.errors import ModelFailed
from azureml_scoring.request import ANYTHING, CacheState
from counted_cache import NO_CACHE, NO_STORE, Setup, until
from redis_server import Valkey

TIERS = ["off", "memory", "redis", "memory and redis"]


@pytest.fixture(params=TIERS)
def setup(request: pytest.FixtureRequest) -> Setup:
    return Setup(
        request.param, request.getfixturevalue("redis_server") if "redis" in request.param else None
    )


@pytest.fixture(params=TIERS[1:])
def caching(request: pytest.FixtureRequest) -> Setup:
    return Setup(
        request.param, request.getfixturevalue("redis_server") if "redis" in request.param else None
    )


def test_answers_do_not_depend_on_the_cache(setup: Setup):
    """A request gets the same predictions each time, with any directive."""
    for directive in (ANYTHING, ANYTHING, NO_CACHE, NO_STORE, ANYTHING):
        assert setup.ask([[1, 2], [3, 4]], directive)[0] == [2.0, 6.0]


def test_the_second_time_is_a_hit(caching: Setup):
    """The predictions are computed once, and the state says so."""
    states = [caching.ask([[1, 2]])[1] for _ in range(3)]
    assert states == [CacheState.MISS, CacheState.HIT, CacheState.HIT]
    assert caching.compute.calls == 1


def test_without_a_cache_the_state_is_off():
    """Nothing is kept."""
    setup = Setup("off")
    assert [setup.ask([[1, 2]])[1] for _ in range(2)] == [CacheState.OFF] * 2
    assert setup.compute.calls == 2


def test_a_model_that_is_not_cacheable_is_always_asked(caching: Setup):
    """Its answers may differ from call to call."""
    model = support.model(cacheable=False)
    assert [caching.ask([[1, 2]], model=model)[1] for _ in range(2)] == [CacheState.OFF] * 2
    assert caching.compute.calls == 2


def test_another_version_never_gets_the_old_ones_predictions(caching: Setup):
    """This holds after an upgrade, and after a change of the bytes under the same version."""
    caching.ask([[1, 2]])
    for model in (support.model(version="2"), support.model(digest="cd" * 32)):
        assert caching.ask([[1, 2]], model=model)[1] is CacheState.MISS
    assert caching.ask([[1, 2]])[1] is CacheState.HIT


def test_no_cache_computes_anew_and_keeps_the_new_answer(caching: Setup):
    """Later requests get the new answer."""
    caching.ask([[1, 2]])
    assert caching.ask([[1, 2]], NO_CACHE)[1] is CacheState.BYPASS
    assert caching.compute.calls == 2
    assert caching.ask([[3, 4]], NO_CACHE)[1] is CacheState.BYPASS
    assert caching.ask([[3, 4]])[1] is CacheState.HIT


def test_no_store_leaves_nothing_behind(caching: Setup):
    """The cache is neither read nor written."""
    assert [caching.ask([[1, 2]], NO_STORE)[1] for _ in range(2)] == [CacheState.BYPASS] * 2
    assert caching.ask([[1, 2]])[1] is CacheState.MISS


def test_a_failure_is_never_kept(caching: Setup):
    """The next request runs the model again."""
    caching.compute.error = ModelFailed("no")
    for _ in range(2):
        with pytest.raises(ModelFailed):
            caching.ask([[1, 2]])
    caching.compute.error = None
    assert caching.ask([[1, 2]]) == ([2.0], CacheState.MISS)


def test_what_is_not_shareable_is_not_kept(caching: Setup):
    """Predictions with NaN are an example."""
    caching.compute.shareable = False
    assert [caching.ask([[1, 2]])[1] for _ in range(2)] == [CacheState.MISS] * 2


def test_equal_requests_in_flight_are_computed_once(caching: Setup):
    """All of them get the leader's predictions."""
    started, others = threading.Event(), threading.Event()

    def hold() -> None:
        started.set()
        others.wait(30)

    caching.compute.hold = hold
    with ThreadPoolExecutor(12) as threads:
        first = threads.submit(caching.ask, [[1, 2]])
        started.wait(30)
        rest = [threads.submit(caching.ask, [[1, 2]]) for _ in range(10)]
        until(lambda: all(future.running() for future in rest))
        time.sleep(0.05)
        others.set()
        assert first.result() == ([2.0], CacheState.MISS)
        assert [future.result() for future in rest] == [([2.0], CacheState.HIT)] * 10
    assert caching.compute.calls == 1


def test_when_the_leader_fails_the_others_compute_for_themselves(caching: Setup):
    """The failure of one request does not fail another."""
    started, others = threading.Event(), threading.Event()

    def hold() -> None:
        if not started.is_set():
            started.set()
            others.wait(30)
            raise ModelFailed("the leader's deadline passed")

    caching.compute.hold = hold
    with ThreadPoolExecutor(4) as threads:
        leader = threads.submit(caching.ask, [[1, 2]])
        started.wait(30)
        followers = [threads.submit(caching.ask, [[1, 2]]) for _ in range(3)]
        until(lambda: all(future.running() for future in followers))
        others.set()
        with pytest.raises(ModelFailed):
            leader.result()
        assert [future.result()[0] for future in followers] == [[2.0]] * 3


def test_entries_expire_and_not_all_at_once(monkeypatch: pytest.MonkeyPatch):
    """They expire after the TTL at the latest, and up to a tenth earlier."""
    now = time.time()
    setup = Setup("memory", ttl=100, now=lambda: now)
    expiries = {setup.cache._expiry() - now for _ in range(50)}
    assert len(expiries) > 40
    assert all(90 <= expiry <= 100 for expiry in expiries)


def test_what_redis_knows_is_kept_nearby(redis_server: Valkey):
    """An answer of another process is fetched once, with its expiry."""
    Setup("redis", redis_server).ask([[1, 2]])
    setup = Setup("memory and redis", redis_server)
    assert [setup.ask([[1, 2]])[1] for _ in range(3)] == [CacheState.HIT] * 3
    assert (setup.row.cache.redis_hits, setup.row.cache.memory_hits) == (1, 2)
    assert setup.compute.calls == 0
