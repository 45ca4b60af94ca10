"""What a request may rely on, whichever tiers there are."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

import support
from cache import ANYTHING, CacheState, Directive, ResponseCache
from cache_counts import CacheCounts
from cache_lease import Leases
from cache_memory import MemoryTier
from cache_redis import RedisTier
from cache_scoring import Computed
from cache_tier import MeasuredTier
from errors import ModelFailed
from model import Model
from redis_link import RedisLink
from redis_server import Valkey, valkey
from scoreboard import Row
from validation import Batch

MODEL = support.model()
NO_CACHE, NO_STORE = Directive(look_up=False), Directive(look_up=False, store=False)


class Computer:
    """Doubles each row's first value; counts its calls and the rows it saw."""

    def __init__(self) -> None:
        self.calls = 0
        self.rows: list[float] = []
        self.hold: Callable[[], object] = lambda: None
        self.error: Exception | None = None
        self.shareable = True

    def __call__(self, batch: Batch) -> Computed:
        self.calls += 1
        self.rows += batch.X[:, 0].tolist()
        self.hold()
        if self.error:
            raise self.error
        return Computed((batch.X[:, 0] * 2).tolist(), self.shareable)


class Setup:
    """A cache, as one process has it, and what it counted."""

    def __init__(self, tiers: str, server: Valkey | None = None, *, lease: float = 0, **options: Any) -> None:
        self.row = Row()
        counts = CacheCounts(lambda: self.row)
        made: list[Any] = []
        leases = None
        if "memory" in tiers:
            made.append(MemoryTier(1_000_000, counts))
        if "redis" in tiers:
            assert server
            link = RedisLink(server.connect, lambda client: client.get("trial"), counts, budget=5)
            made.append(RedisTier(link, counts))
            leases = Leases(link, made[-1], duration=lease) if lease else None
            self.settle = lambda: until(lambda: link._pending._value == 256)
        else:
            self.settle = lambda: None
        measured = [MeasuredTier(tier, counts, must_pay=False) for tier in made]
        self.cache = ResponseCache(measured, counts, leases=leases, **options)
        self.compute = Computer()

    def ask(
        self, rows: list[list[float]], directive: Directive = ANYTHING, model: Model = MODEL, method: str = "predict"
    ) -> tuple[list[Any], CacheState]:
        batch = Batch(np.array(rows, dtype=float), method)
        answer = self.cache.predictions(model, batch, directive, self.compute, time.monotonic() + 30)
        self.settle()
        return orjson.loads(answer.json), answer.state


def until(condition: Callable[[], object]) -> None:
    limit = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.002)


TIERS = ["off", "memory", "redis", "memory and redis"]


@pytest.fixture(params=TIERS)
def setup(request: pytest.FixtureRequest) -> Setup:
    return Setup(request.param, request.getfixturevalue("redis_server") if "redis" in request.param else None)


@pytest.fixture(params=TIERS[1:])
def caching(request: pytest.FixtureRequest) -> Setup:
    return Setup(request.param, request.getfixturevalue("redis_server") if "redis" in request.param else None)


def test_answers_do_not_depend_on_the_cache(setup: Setup):
    """Asked once or thrice, with any directive: the same predictions."""
    for directive in (ANYTHING, ANYTHING, NO_CACHE, NO_STORE, ANYTHING):
        assert setup.ask([[1, 2], [3, 4]], directive)[0] == [2.0, 6.0]


def test_the_second_time_is_a_hit(caching: Setup):
    """Computed once, and said so."""
    states = [caching.ask([[1, 2]])[1] for _ in range(3)]
    assert states == [CacheState.MISS, CacheState.HIT, CacheState.HIT]
    assert caching.compute.calls == 1


def test_without_a_cache_the_state_is_off():
    """Nothing is kept."""
    setup = Setup("off")
    assert [setup.ask([[1, 2]])[1] for _ in range(2)] == [CacheState.OFF] * 2
    assert setup.compute.calls == 2


def test_a_model_that_is_not_cacheable_is_always_asked(caching: Setup):
    """Its answers may differ."""
    model = support.model(cacheable=False)
    assert [caching.ask([[1, 2]], model=model)[1] for _ in range(2)] == [CacheState.OFF] * 2
    assert caching.compute.calls == 2


def test_another_version_never_gets_the_old_ones_predictions(caching: Setup):
    """Not after an upgrade, not after a change of the bytes under the same version."""
    caching.ask([[1, 2]])
    for model in (support.model(version="2"), support.model(digest="cd" * 32)):
        assert caching.ask([[1, 2]], model=model)[1] is CacheState.MISS
    assert caching.ask([[1, 2]])[1] is CacheState.HIT


def test_no_cache_computes_anew_and_keeps_the_new_answer(caching: Setup):
    """Who comes after gets it."""
    caching.ask([[1, 2]])
    assert caching.ask([[1, 2]], NO_CACHE)[1] is CacheState.BYPASS
    assert caching.compute.calls == 2
    assert caching.ask([[3, 4]], NO_CACHE)[1] is CacheState.BYPASS
    assert caching.ask([[3, 4]])[1] is CacheState.HIT


def test_no_store_leaves_nothing_behind(caching: Setup):
    """Neither looked up nor kept."""
    assert [caching.ask([[1, 2]], NO_STORE)[1] for _ in range(2)] == [CacheState.BYPASS] * 2
    assert caching.ask([[1, 2]])[1] is CacheState.MISS


def test_a_failure_is_never_kept(caching: Setup):
    """The next request asks the model again."""
    caching.compute.error = ModelFailed("no")
    for _ in range(2):
        with pytest.raises(ModelFailed):
            caching.ask([[1, 2]])
    caching.compute.error = None
    assert caching.ask([[1, 2]]) == ([2.0], CacheState.MISS)


def test_what_is_not_shareable_is_not_kept(caching: Setup):
    """Such as predictions with NaN."""
    caching.compute.shareable = False
    assert [caching.ask([[1, 2]])[1] for _ in range(2)] == [CacheState.MISS] * 2


def test_equal_requests_in_flight_are_computed_once(caching: Setup):
    """All get the leader's predictions."""
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
    """One request's failure is not another's."""
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
    """After the TTL at the latest, up to a tenth earlier."""
    now = time.time()
    setup = Setup("memory", ttl=100, now=lambda: now)
    expiries = {setup.cache._expiry() - now for _ in range(50)}
    assert len(expiries) > 40
    assert all(90 <= expiry <= 100 for expiry in expiries)


def test_what_redis_knows_is_kept_nearby(redis_server: Valkey):
    """Another process's answer is fetched once, with its expiry."""
    Setup("redis", redis_server).ask([[1, 2]])
    setup = Setup("memory and redis", redis_server)
    assert [setup.ask([[1, 2]])[1] for _ in range(3)] == [CacheState.HIT] * 3
    assert (setup.row.cache.redis_hits, setup.row.cache.memory_hits) == (1, 2)
    assert setup.compute.calls == 0


def by_row(tiers: str, server: Valkey | None = None) -> Setup:
    return Setup(tiers, server, by_row=True)


def test_by_row_only_the_unknown_rows_are_computed(redis_server: Valkey):
    """Of 100 rows of which 90 are known 10, by one look-up and one store."""
    setup = by_row("redis", redis_server)
    rows = [[float(i), 0.0] for i in range(100)]
    setup.ask(rows[:90])
    setup.compute.rows = []
    writes = redis_server.commands("set")
    assert setup.ask(rows) == ([2.0 * i for i in range(100)], CacheState.MISS)
    assert setup.compute.rows == [float(i) for i in range(90, 100)]
    assert redis_server.commands("set") - writes == 10
    assert setup.ask(rows[::-1]) == ([2.0 * i for i in reversed(range(100))], CacheState.HIT)


def test_by_row_a_row_that_stands_twice_is_computed_once():
    """And answered in both places."""
    setup = by_row("memory")
    assert setup.ask([[1, 2], [3, 4], [1, 2]])[0] == [2.0, 6.0, 2.0]
    assert sorted(setup.compute.rows) == [1.0, 3.0]


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=8), max_size=10))
def test_by_row_answers_keep_the_order_of_the_request(batches: list[list[int]]):
    """Whatever was asked before, and no row is computed twice."""
    setup = by_row("memory")
    for batch in batches:
        assert setup.ask([[float(value), 0.0] for value in batch])[0] == [2.0 * value for value in batch]
    assert len(setup.compute.rows) == len(set(setup.compute.rows))


def test_by_row_overlapping_requests_in_flight_do_not_wait_for_each_other_in_a_circle():
    """Each computes the rows it leads before it waits for the others'."""
    setup = by_row("memory")
    setup.compute.hold = lambda: time.sleep(0.001)
    rng = np.random.default_rng(0)
    batches = [rng.permutation(12)[:6].tolist() for _ in range(200)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda b: setup.ask([[float(v), 0.0] for v in b])[0], batches))
    assert answers == [[2.0 * v for v in b] for b in batches]


class Contract(RuleBasedStateMachine):
    """Any sequence of requests, models and directives: the answer is always what the model would say."""

    def __init__(self) -> None:
        super().__init__()
        self.setup = Setup("memory", by_row=True)

    @rule(
        values=st.lists(st.integers(0, 5), min_size=1, max_size=4),
        directive=st.sampled_from([ANYTHING, NO_CACHE, NO_STORE]),
        version=st.sampled_from(["1", "2"]),
        fails=st.booleans(),
    )
    def ask(self, values: list[int], directive: Directive, version: str, fails: bool) -> None:
        factor = 2 if version == "1" else 3

        def compute(batch: Batch) -> Computed:
            if fails:
                raise ModelFailed("no")
            return Computed((batch.X[:, 0] * factor).tolist(), shareable=True)

        batch = Batch(np.array([[float(value), 0.0] for value in values]), "predict")
        try:
            answer = self.setup.cache.predictions(support.model(version=version), batch, directive, compute, 0)
        except ModelFailed:
            return
        assert orjson.loads(answer.json) == [float(factor * value) for value in values]


TestContract = Contract.TestCase


@pytest.fixture
def processes(redis_server: Valkey) -> list[Setup]:
    """Two, that share a Redis and take leases."""
    return [Setup("memory and redis", redis_server, lease=10) for _ in range(2)]


def test_with_leases_equal_requests_in_several_processes_are_computed_once(processes: list[Setup]):
    """The second waits for what the first stores."""
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


def test_with_leases_a_failed_leader_releases_the_other_processes(processes: list[Setup]):
    """They compute at once, not when the lease has run out."""
    first, second = processes
    first.compute.error = ModelFailed("no")
    with pytest.raises(ModelFailed):
        first.ask([[1, 2]])
    began = time.monotonic()
    assert second.ask([[1, 2]]) == ([2.0], CacheState.MISS)
    assert time.monotonic() - began < 10


def test_with_leases_a_leader_that_died_holds_nobody_up_for_longer_than_the_lease(redis_server: Valkey):
    """Nobody releases what it held."""
    dead, living = (Setup("redis", redis_server, lease=0.2) for _ in range(2))
    assert dead.cache._leases
    batch = Batch(np.array([[1.0, 2.0]]), "predict")
    key = dead.cache._units(MODEL, batch).keys
    assert dead.cache._leases.take(key) == key
    assert living.ask([[1, 2]]) == ([2.0], CacheState.MISS)


def test_with_leases_a_request_keeps_time_to_compute_itself(redis_server: Valkey):
    """It waits for at most half of what is left until its deadline, however long the lease is."""
    dead, living = (Setup("redis", redis_server, lease=60) for _ in range(2))
    assert dead.cache._leases
    batch = Batch(np.array([[1.0, 2.0]]), "predict")
    dead.cache._leases.take(dead.cache._units(MODEL, batch).keys)
    due = time.monotonic() + 4
    answer = living.cache.predictions(MODEL, batch, ANYTHING, living.compute, due)
    assert time.monotonic() < due
    assert answer.state is CacheState.MISS


def test_with_leases_and_without_redis_each_computes():
    """A lease only saves work, and is not asked for while Redis is left alone."""
    with valkey() as server:
        setup = Setup("memory and redis", server, lease=10)
    for i in range(20):
        assert setup.ask([[i, 2]]) == ([2.0 * i], CacheState.MISS)
    assert setup.row.cache.redis_breaker_open
    setup.cache._leases = object()  # any use of it would raise
    assert setup.ask([[99, 2]]) == ([198.0], CacheState.MISS)
