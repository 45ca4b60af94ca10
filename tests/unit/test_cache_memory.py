import random
import sys
import threading
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from cache_counts import CacheCounts
from cache_memory import ENTRY_OVERHEAD, MemoryTier
from cache_value import Entry
from scoreboard import Row

ROOM_FOR_THREE = 3 * (ENTRY_OVERHEAD + 3)


def tier(max_bytes: int, row: Row | None = None, **options: object) -> MemoryTier:
    counts = row or Row()
    return MemoryTier(max_bytes, CacheCounts(lambda: counts), clock=lambda: 0.0, **options)


def entry(predictions: bytes = b"[1]") -> Entry:
    return Entry(predictions, 100.0)


def test_the_least_recently_used_goes_first():
    """Asking for an entry keeps it."""
    memory = tier(ROOM_FOR_THREE, row := Row())
    for name in (b"a", b"b", b"c"):
        memory.put({name: entry()})
    memory.get([b"a"])
    memory.put({b"d": entry()})
    assert set(memory.get([b"a", b"b", b"c", b"d"])) == {b"a", b"c", b"d"}
    assert (row.cache.memory_evictions, row.cache.memory_entries) == (1, 3)


def test_an_entry_larger_than_the_tier_is_not_kept():
    """And pushes nothing else out."""
    memory = tier(ROOM_FOR_THREE)
    memory.put({b"small": entry()})
    memory.put({b"large": entry(b"x" * ROOM_FOR_THREE)})
    assert set(memory.get([b"small", b"large"])) == {b"small"}


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 1000)), max_size=60))
def test_the_bound_holds_whatever_is_put(puts: list[tuple[int, int]]):
    """In bytes, as published."""
    memory = tier(5_000, row := Row())
    for name, size in puts:
        memory.put({b"%d" % name: entry(b"x" * size)})
        assert row.cache.memory_bytes <= 5_000


def test_the_bound_is_of_real_memory():
    """What Python really allocates for keys like ours stays below the bytes that are counted."""
    memory = tier(2_000_000, row := Row())
    tracemalloc.start()
    try:
        for i in range(5_000):
            memory.put({b"azureml-scoring:diabetes-classifier:v1.2.3:%044d" % i: Entry(b"[%d]" % i, 100.0 + i)})
        allocated, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert row.cache.memory_entries > 3_000
    assert allocated < row.cache.memory_bytes


def test_threads_may_share_it():
    """Nothing is lost or mixed up under eight of them, and the counts agree with what is kept."""
    memory, wrong = tier(20_000, row := Row()), []
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def work(number: int) -> None:
        rng = random.Random(number)
        try:
            for _ in range(2_000):
                key = b"%d" % rng.randrange(60)
                memory.put({key: entry(key * rng.randrange(1, 50))})
                for name, found in memory.get([b"%d" % rng.randrange(60)]).items():
                    if not found.predictions.startswith(name):
                        wrong.append(name)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not wrong
    kept = memory.get([b"%d" % i for i in range(60)])
    assert row.cache.memory_entries == len(kept)
    assert row.cache.memory_bytes == sum(len(found.predictions) + ENTRY_OVERHEAD for found in kept.values())
