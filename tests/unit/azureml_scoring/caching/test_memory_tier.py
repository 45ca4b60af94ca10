import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_scoring.caching.memory_tier import ENTRY_OVERHEAD_BYTES, MemoryTier
from azureml_scoring.caching.value import Entry
from azureml_scoring.shared.cache_counts import CacheCounts
from azureml_scoring.shared.scoreboard import WorkerRow
from places import SRC

SOURCE = SRC
ROOM_FOR_THREE = 3 * (ENTRY_OVERHEAD_BYTES + 4)


def tier(max_bytes: int, row: WorkerRow | None = None, **options: object) -> MemoryTier:
    counts = row or WorkerRow()
    return MemoryTier(max_bytes, CacheCounts(lambda: counts), clock=lambda: 0.0, **options)


def entry(predictions: bytes = b"[1]") -> Entry:
    return Entry(predictions, 100.0)


def test_the_least_recently_used_goes_first():
    """A look-up keeps an entry."""
    memory = tier(ROOM_FOR_THREE, row := WorkerRow())
    for name in (b"a", b"b", b"c"):
        memory.put({name: entry()})
    memory.get([b"a"])
    memory.put({b"d": entry()})
    assert set(memory.get([b"a", b"b", b"c", b"d"])) == {b"a", b"c", b"d"}
    assert (row.cache.memory_evictions, row.cache.memory_entries) == (1, 3)


def test_an_entry_larger_than_the_tier_is_not_kept():
    """It evicts no other entry."""
    memory = tier(ROOM_FOR_THREE)
    memory.put({b"small": entry()})
    memory.put({b"large": entry(b"x" * ROOM_FOR_THREE)})
    assert set(memory.get([b"small", b"large"])) == {b"small"}


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 1000)), max_size=60))
def test_the_bound_holds_whatever_is_put(puts: list[tuple[int, int]]):
    """The size in bytes is bounded, and published."""
    memory = tier(5_000, row := WorkerRow())
    for name, size in puts:
        memory.put({b"%d" % name: entry(b"x" * size)})
        assert row.cache.memory_bytes <= 5_000


SOAK = """
import os, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from azureml_scoring.shared.cache_counts import CacheCounts
from azureml_scoring.caching.memory_tier import ENTRY_OVERHEAD_BYTES, MemoryTier
from azureml_scoring.caching.value import Entry
from azureml_scoring.models.predictions import to_json
from azureml_scoring.shared.scoreboard import WorkerRow

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

max_bytes, rows = int(sys.argv[2]), int(sys.argv[3])
row, rng = WorkerRow(), np.random.default_rng(0)
memory = MemoryTier(max_bytes, CacheCounts(lambda: row), clock=lambda: 0.0)
before = most = resident()
put = number = 0
while put < 4 * max_bytes:
    json = to_json(rng.random(rows).tolist())
    key = b"azureml-scoring:diabetes-classifier:v1.2.3:%044d" % number
    memory.put({key: Entry(json, 3600.0 - number % 360)})
    put, number = put + len(key) + len(json) + ENTRY_OVERHEAD_BYTES, number + 1
    if number % 500 == 0:
        most = max(most, resident())
print(most - before, row.cache.memory_bytes)
"""


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, 100])
@pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="Only Linux tells there what a process occupies."
)
def test_the_process_grows_by_no_more_than_the_setting_and_a_tenth(rows: int):
    """The tier is filled four times over, with real answers to single rows and to batches."""
    max_bytes = 24_000_000
    command = [sys.executable, "-c", SOAK, SOURCE, str(max_bytes), str(rows)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    grown, counted = map(int, told.split())
    assert grown < 1.1 * max_bytes
    assert 0.9 * max_bytes < counted <= max_bytes
    assert grown > 0.7 * counted


def test_what_has_expired_is_not_found_and_its_going_is_no_eviction():
    """An expired entry is removed when its turn comes."""
    now = [0.0]
    memory = MemoryTier(
        2 * (ENTRY_OVERHEAD_BYTES + 4), CacheCounts(lambda: row), clock=lambda: now[0]
    )
    row = WorkerRow()
    memory.put({b"a": Entry(b"[1]", 5.0)})
    memory.put({b"b": Entry(b"[2]", 50.0)})
    now[0] = 10.0
    assert set(memory.get([b"a", b"b"])) == {b"b"}
    memory.put({b"c": Entry(b"[3]", 50.0)})
    assert set(memory.get([b"a", b"b", b"c"])) == {b"b", b"c"}
    assert (row.cache.memory_evictions, row.cache.memory_entries) == (0, 2)


def test_an_entry_that_is_put_again_counts_once():
    """Its size is that of the new value."""
    memory = tier(ROOM_FOR_THREE, row := WorkerRow())
    for predictions in (b"[1]", b"[1,2]", b"[3]"):
        memory.put({b"a": entry(predictions)})
    assert memory.get([b"a"])[b"a"].predictions == b"[3]"
    assert row.cache.memory_bytes == len(b"a") + len(b"[3]") + ENTRY_OVERHEAD_BYTES


def test_threads_may_share_it():
    """With eight threads nothing is lost or mixed up, and the counts agree with the entries."""
    memory, wrong = tier(20_000, row := WorkerRow()), []
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
    assert row.cache.memory_bytes == sum(
        len(key) + len(found.predictions) + ENTRY_OVERHEAD_BYTES for key, found in kept.items()
    )
