"""The part of ``/health`` on the response cache, over all workers of the server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from azureml_scoring.shared.scoreboard import CacheRow

Totals = Mapping[str, int]
Gauges = Mapping[str, Sequence[int]]
"""Values of each gauge, one for each worker that lives."""


def report(
    tiers: Iterable[str], rows: Iterable[CacheRow], living: Iterable[CacheRow], *, cacheable: bool
) -> dict[str, Any]:
    """Return the report.

    ``tiers``: their names; ``rows``: of all workers, the dead ones included; ``living``: of those
    that live.
    """
    names = tuple(tiers)
    if not names:
        return {"state": "off"}
    all_rows, living_rows = tuple(rows), tuple(living)
    totals = {name: sum(getattr(row, name) for row in all_rows) for name in CacheRow.COUNTERS}
    gauges = {name: [getattr(row, name) for row in living_rows] or [0] for name in CacheRow.GAUGES}
    tier_reports = {"memory": _memory, "redis": _redis}
    return {
        "state": "on" if cacheable else "off: the model declares itself not cacheable",
        "hit_rate_percent": round(
            100 * totals["hits"] / max(totals["hits"] + totals["misses"], 1), 2
        ),
        **{name: totals[name] for name in ("hits", "misses", "bypasses", "coalesced")},
        "compute_us": max(gauges["compute_us"]),
        **{name: tier_reports[name](totals, gauges) for name in names},
    }


def _memory(totals: Totals, gauges: Gauges) -> dict[str, Any]:
    return {
        "state": _state(gauges["memory_bypassed"]),
        "look_up_us": max(gauges["memory_look_up_us"]),
        "hits": totals["memory_hits"],
        "evictions": totals["memory_evictions"],
        "entries": sum(gauges["memory_entries"]),
        "bytes": sum(gauges["memory_bytes"]),
    }


def _redis(totals: Totals, gauges: Gauges) -> dict[str, Any]:
    breaker_open = any(gauges["redis_breaker_open"])
    return {
        "state": "left alone: it fails" if breaker_open else _state(gauges["redis_bypassed"]),
        "look_up_us": max(gauges["redis_look_up_us"]),
        "hits": totals["redis_hits"],
        "errors": totals["redis_errors"],
        "timeouts": totals["redis_timeouts"],
        "corrupt": totals["redis_corrupt"],
        "dropped": totals["redis_dropped"],
        "breaker": "open" if breaker_open else "closed",
    }


def _state(bypassed: Sequence[int]) -> str:
    return "bypassed: looking up costs more than computing" if any(bypassed) else "in use"
