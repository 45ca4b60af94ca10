"""What ``/health`` says of the response cache, over all workers of the server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from azureml_scoring.shared.scoreboard import CacheRow


def report(
    tiers: Iterable[str], rows: Iterable[CacheRow], living: Iterable[CacheRow], *, cacheable: bool
) -> dict[str, Any]:
    """``tiers``: their names; ``rows``: of all workers that there ever were; ``living``: of those
    that are."""
    names = tuple(tiers)
    if not names:
        return {"state": "off"}
    everyone, now = tuple(rows), tuple(living)
    total = {name: sum(getattr(row, name) for row in everyone) for name in CacheRow.COUNTERS}
    gauge = {name: [getattr(row, name) for row in now] or [0] for name in CacheRow.GAUGES}
    answered = total["hits"] + total["misses"]
    body: dict[str, Any] = {
        "state": "on" if cacheable else "off: the model declares itself not cacheable",
        "hit_rate_percent": round(100 * total["hits"] / max(answered, 1), 2),
        **{name: total[name] for name in ("hits", "misses", "bypasses", "coalesced")},
        "compute_us": max(gauge["compute_us"]),
    }
    for name in names:
        body[name] = {
            "state": "bypassed: looking up costs more than computing"
            if any(gauge[f"{name}_bypassed"])
            else "in use",
            "look_up_us": max(gauge[f"{name}_look_up_us"]),
            **_of(name, total),
        }
    if "memory" in body:
        body["memory"] |= {field: sum(gauge[f"memory_{field}"]) for field in ("entries", "bytes")}
    if "redis" in body:
        opened = any(gauge["redis_breaker_open"])
        body["redis"]["breaker"] = "open" if opened else "closed"
        if opened:
            body["redis"]["state"] = "left alone: it fails"
    return body


def _of(tier: str, counters: dict[str, int]) -> dict[str, int]:
    return {
        name.removeprefix(f"{tier}_"): count
        for name, count in counters.items()
        if name.startswith(f"{tier}_")
    }
