from azureml_scoring.shared.scoreboard import CacheRow
from azureml_scoring.signals.cache_report import report


def test_without_tiers_there_is_nothing_to_tell():
    """The report says that the cache is off."""
    assert report((), [CacheRow()], [CacheRow()], cacheable=True) == {"state": "off"}


def test_counters_are_of_all_workers_and_gauges_of_the_living():
    """The report has hit rate, tiers, evictions, bytes and breaker."""
    dead = CacheRow(hits=3, misses=1, memory_hits=3, memory_bytes=500, redis_breaker_open=1)
    living = CacheRow(
        hits=6, misses=2, bypasses=1, coalesced=1, compute_us=210,
        memory_hits=4, memory_evictions=5, memory_entries=2, memory_bytes=1200, memory_look_up_us=9,
        redis_hits=2, redis_errors=7, redis_look_up_us=300,
    )  # fmt: skip
    assert report(("memory", "redis"), [dead, living], [living], cacheable=True) == {
        "state": "on",
        "hit_rate_percent": 75.0,
        "hits": 9,
        "misses": 3,
        "bypasses": 1,
        "coalesced": 1,
        "compute_us": 210,
        "memory": {
            "state": "in use", "look_up_us": 9, "hits": 7, "evictions": 5,
            "entries": 2, "bytes": 1200,
        },
        "redis": {
            "state": "in use", "look_up_us": 300, "hits": 2, "errors": 7, "timeouts": 0,
            "corrupt": 0, "dropped": 0, "breaker": "closed",
        },
    }  # fmt: skip


def test_what_is_not_used_says_why():
    """A tier may be bypassed or failing, and a model may declare itself not cacheable."""
    row = CacheRow(memory_bypassed=1, redis_breaker_open=1)
    body = report(("memory", "redis"), [row], [row], cacheable=False)
    assert body["state"] == "off: the model declares itself not cacheable"
    assert body["memory"]["state"] == "bypassed: looking up costs more than computing"
    assert (body["redis"]["state"], body["redis"]["breaker"]) == ("left alone: it fails", "open")
