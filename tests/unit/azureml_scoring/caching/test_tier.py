"""One contract for every tier: what comes back is what was put, or nothing."""

import contextlib
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from azureml_scoring.caching.memory_tier import MemoryTier
from azureml_scoring.caching.payoff import MEDIAN_TIMINGS, RETEST_EVERY_REQUESTS
from azureml_scoring.caching.redis_link import RedisLink
from azureml_scoring.caching.redis_tier import RedisTier
from azureml_scoring.caching.tier import MeasuredTier, Tier
from azureml_scoring.caching.value import MAX_JSON_BYTES, Entry, Seal, Unavailable
from azureml_scoring.shared.cache_counts import CacheCounts
from azureml_scoring.shared.scoreboard import WorkerRow
from redis_server import HAS_REDIS, Valkey

HOUR = 3600.0
SEAL = Seal()


def link(connect: Callable[[], Any], counts: CacheCounts, budget: float = 5.0) -> RedisLink:
    return RedisLink(connect, lambda client: client.get("trial"), counts, budget=budget)


@pytest.fixture(params=["memory", "redis", "cluster", *(["redis over TLS"] if HAS_REDIS else [])])
def tier(request: pytest.FixtureRequest, row: WorkerRow) -> Tier:
    counts = CacheCounts(lambda: row)
    if request.param == "memory":
        return MemoryTier(1_000_000, counts)
    if request.param == "redis":
        server = request.getfixturevalue("redis_server")
        return RedisTier(link(server.connect, counts), counts)
    if request.param == "redis over TLS":
        client = request.getfixturevalue("tls_redis")
        client.flushall()
        return RedisTier(link(lambda: client, counts), counts)
    node = request.getfixturevalue("redis_cluster")
    node.admin.flushall()
    return RedisTier(link(lambda: redis.RedisCluster("127.0.0.1", node.port), counts), counts)


def entry(predictions: bytes = b"[1]", lifetime: float = HOUR) -> Entry:
    return Entry(predictions, time.time() + lifetime)


def settled(tier: Tier, keys: list[bytes], count: int) -> dict[bytes, Entry]:
    """The entries, once all pending writes are done."""
    until = time.monotonic() + 10
    while len(found := tier.get(keys)) < count and time.monotonic() < until:
        time.sleep(0.01)
    return found


def test_what_comes_back_is_what_was_put(tier: Tier):
    """Several entries can be put and read at once, each under its key."""
    put = {b"key-%d" % i: entry(b"[%d]" % i) for i in range(20)}
    tier.put(put)
    assert settled(tier, [*put, b"unknown"], len(put)) == put


def test_an_unknown_key_is_no_error(tier: Tier):
    """An unknown key gives no entry, and neither do no keys at all."""
    assert tier.get([b"unknown"]) == {}
    assert tier.get([]) == {}


def test_a_later_value_replaces_an_earlier_one(tier: Tier):
    """A look-up never gives a mixture of both."""
    tier.put({b"key": entry(b"[1]")})
    tier.put({b"key": (second := entry(b"[2]")), b"other": second})
    assert settled(tier, [b"other"], 1)
    assert tier.get([b"key"]) == {b"key": second}


def test_an_expired_entry_is_gone(tier: Tier):
    """It may expire in the tier or before it is put."""
    tier.put({b"late": entry(lifetime=-1), b"soon": entry(lifetime=0.05), b"kept": entry()})
    settled(tier, [b"kept"], 1)
    time.sleep(0.1)
    assert tier.get([b"late", b"soon"]) == {}


def test_answers_and_keys_of_all_kinds_are_kept_as_they_are(tier: Tier):
    """No value is special."""
    put = {b"a": entry(b"0.5"), b"\x00\xff": entry('["é😀",[],null]'.encode())}
    tier.put(put)
    assert settled(tier, list(put), 2) == put


@pytest.fixture
def redis_tier(redis_server: Valkey, row: WorkerRow) -> RedisTier:
    counts = CacheCounts(lambda: row)
    return RedisTier(link(redis_server.connect, counts), counts)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"garbage",
        SEAL.close(b"other", Entry(b"[1]", 2e9)),
        SEAL.close(b"key", Entry(b"[1]", 2e9))[:-1],
        SEAL.close(b"key", Entry(b'[1],"injected":1', 2e9)),
        SEAL.close(b"key", Entry(b'["\xff"]', 2e9)),
        SEAL.close(b"key", Entry(b"[1,2]", 2e9)),
    ],
)
def test_a_corrupt_value_is_a_miss_is_counted_and_removed(
    redis_tier: RedisTier, redis_server: Valkey, row: WorkerRow, value: bytes
):
    """This holds for a foreign or truncated value too; other keys of the same look-up are not
    affected."""
    redis_server.admin.set(b"key", value)
    redis_server.admin.set(b"good", SEAL.close(b"good", good := entry()))
    assert redis_tier.get([b"key", b"good"], rows=1) == {b"good": good}
    assert row.cache.redis_corrupt == 1
    until = time.monotonic() + 10
    while redis_server.admin.exists(b"key") and time.monotonic() < until:
        time.sleep(0.01)
    assert not redis_server.admin.exists(b"key")
    assert redis_server.admin.exists(b"good")


def test_what_is_shared_under_a_secret_is_taken_from_nobody_else(
    redis_server: Valkey, row: WorkerRow
):
    """An unsigned value is a miss, even if it is well formed."""
    counts = CacheCounts(lambda: row)
    signing = RedisTier(link(redis_server.connect, counts), counts, secret="out of the vault")
    signing.put({b"mine": (mine := entry())})
    assert settled(signing, [b"mine"], 1) == {b"mine": mine}
    redis_server.admin.set(b"mine", SEAL.close(b"mine", entry(b"[2]")))
    assert signing.get([b"mine"], rows=1) == {}
    assert row.cache.redis_corrupt == 1


def test_what_would_not_be_taken_is_not_stored(redis_tier: RedisTier, redis_server: Valkey):
    """An answer of tens of megabytes is computed each time."""
    redis_tier.put({b"long": entry(b" " * (MAX_JSON_BYTES + 1)), b"short": entry()})
    settled(redis_tier, [b"short"], 1)
    assert not redis_server.admin.exists(b"long")


def test_a_key_of_another_type_is_a_miss_and_removed(
    redis_tier: RedisTier, redis_server: Valkey, row: WorkerRow
):
    """Somebody may have stored a list under that key."""
    redis_server.admin.rpush(b"key", b"value")
    assert redis_tier.get([b"key"]) == {}
    assert (row.cache.redis_corrupt, row.cache.redis_errors) == (1, 0)


@pytest.mark.parametrize("answer", [7, [b"a"], "text"])
def test_an_answer_of_another_type_is_a_miss(row: WorkerRow, answer: object):
    """A peer of another version may have stored it."""

    class Peer:
        def pipeline(self, transaction: bool) -> Any:
            return contextlib.nullcontext(self)

        def get(self, key: bytes) -> None: ...

        def unlink(self, key: bytes) -> None: ...

        def execute(self, raise_on_error: bool = True) -> list[object]:
            return [answer]

    counts = CacheCounts(lambda: row)
    assert RedisTier(link(Peer, counts), counts).get([b"key"]) == {}
    assert row.cache.redis_corrupt == 1


def test_an_entry_never_lives_for_ever_in_redis(redis_tier: RedisTier, redis_server: Valkey):
    """Redis knows the expiry too, so that unused entries are removed."""
    redis_tier.put({b"key": entry(lifetime=100)})
    settled(redis_tier, [b"key"], 1)
    assert 90_000 < redis_server.admin.pttl(b"key") <= 100_000


def test_a_look_up_and_a_store_of_100_rows_are_one_round_trip_each(
    redis_server: Valkey, row: WorkerRow
):
    """The number of keys does not matter."""
    client = redis_server.connect()
    counts = CacheCounts(lambda: row)
    tier = RedisTier(link(lambda: client, counts), counts)
    tier.put({b"%d" % i: entry() for i in range(100)})
    settled(tier, [b"99"], 1)
    gets = redis_server.commands("get")
    before = redis_server.admin.info("stats")
    assert len(tier.get([b"%d" % i for i in range(100)])) == 100
    after = redis_server.admin.info("stats")
    assert redis_server.commands("get") - gets == 100
    assert (
        after["total_reads_processed"] - before["total_reads_processed"] == 2
    )  # INFO itself is one


class Scripted:
    """A tier whose clock, not its work, says how long a look-up took."""

    name, nearby = "memory", True
    seconds = 0.0
    fails = False

    def __init__(self) -> None:
        self.now = 0.0

    def available(self) -> bool:
        return True

    def get(self, keys: Any, rows: Any = None) -> dict[bytes, Entry]:
        if self.fails:
            raise Unavailable
        self.now += self.seconds
        return {}

    def put(self, entries: Any) -> None:
        pass


def measured(tier: Scripted, row: WorkerRow, **options: bool) -> MeasuredTier:
    return MeasuredTier(tier, CacheCounts(lambda: row), clock=lambda: tier.now, **options)


def use(tier: MeasuredTier, requests: int, compute: float) -> int:
    """Make requests; return how many of them asked the tier."""
    asked = 0
    for _ in range(requests):
        if tier.worth_asking():
            asked += 1
            tier.look_up([b"key"])
            tier.computed(compute)
    return asked


def test_a_tier_that_costs_more_than_computing_is_bypassed_and_tested_again(row: WorkerRow):
    """One request in a hundred still asks it; once looking up is cheap again, all do."""
    tier = Scripted()
    tested = measured(tier, row)
    tier.seconds = 0.010
    use(tested, 3 * MEDIAN_TIMINGS, compute=0.001)
    assert row.cache.memory_bypassed == 1
    assert use(tested, 10 * RETEST_EVERY_REQUESTS, compute=0.001) == 10
    assert (row.cache.memory_look_up_us, row.cache.compute_us) == (10_000, 1_000)
    tier.seconds = 0.0001
    use(tested, 30 * RETEST_EVERY_REQUESTS, compute=0.001)
    assert row.cache.memory_bypassed == 0
    assert use(tested, 100, compute=0.001) == 100


def test_single_slow_look_ups_do_not_count(row: WorkerRow):
    """The median decides, not the worst case."""
    tier = Scripted()
    tested = measured(tier, row)
    for i in range(20 * MEDIAN_TIMINGS):
        tier.seconds = 1.0 if i % 5 == 0 else 0.0001
        assert use(tested, 1, compute=0.001) == 1


def test_bypassing_can_be_switched_off(row: WorkerRow):
    """The tier is then asked at any cost."""
    tier = Scripted()
    tier.seconds = 1.0
    assert use(measured(tier, row, must_pay=False), 200, compute=0.001) == 200
    assert row.cache.memory_bypassed == 0


def test_a_tier_that_fails_is_as_good_as_none(row: WorkerRow):
    """No error reaches the request, and failures do not count as look-ups."""
    tier = Scripted()
    tier.fails = True
    tested = measured(tier, row)
    assert tested.look_up([b"key"]) == {}
    assert use(tested, 200, compute=0.001) == 200
