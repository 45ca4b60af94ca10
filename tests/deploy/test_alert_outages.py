"""When the alerts on silence, absence, Redis and the log quota fire, on rows as the tables have
them."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from azureml_scoring.caching.redis_breaker import OPEN_MESSAGE
from deploy.alert_firing import HOUR, MINUTE, SECOND, fires_on
from kusto.envelope import (
    MIDNIGHT,
    console_log,
    container_log,
    endpoint_event,
    gateway_log,
    moments,
    operation,
    ready_pods,
    traffic_log,
)
from kusto.evaluator import Table
from kusto.parser import PACKS, Query

GOOD = {"status": 200, "backend": 200}


def silence(
    file: str, *busy: tuple[timedelta, timedelta], apart: timedelta = MINUTE
) -> dict[str, Table]:
    """Return one request each ``apart`` within each of the spans of time after midnight."""
    times = [
        MIDNIGHT + start + i * apart for start, end in busy for i in range((end - start) // apart)
    ]
    if file.startswith("gateway"):
        return {"ApiManagementGatewayLogs": gateway_log([GOOD] * len(times), iter(times))}
    known = [
        {"status": 200, "duration_ms": 1.0, "request_id": str(i), "deployment": "blue"}
        for i in range(len(times))
    ]
    if file.startswith("containerlogv2"):
        return {"ContainerLogV2": container_log(map(json.dumps, known), iter(times))}
    return {"AmlOnlineEndpointTrafficLog": traffic_log(known, iter(times))}


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("InferenceSilent", "managed/InferenceSilent"),
        ("InferenceSilent", "containerlogv2/InferenceSilent"),
        ("GatewaySilent", "gateway/GatewaySilent"),
    ],
)
def test_silence_rings_where_there_was_traffic(queries: dict[str, Query], name: str, file: str):
    """Silence fires after half an hour and for some hours, but not for a new, idle or slow service,
    nor at night or on Saturdays."""
    day, query = 24 * HOUR, queries[file]

    def rings(
        now: timedelta, *busy: tuple[timedelta, timedelta], apart: timedelta = MINUTE
    ) -> bool:
        return fires_on(name, query, silence(file, *busy, apart=apart), MIDNIGHT + now)

    ends = day + 12 * HOUR
    assert not rings(ends + 25 * MINUTE, (0 * HOUR, ends))
    assert rings(ends + 31 * MINUTE, (0 * HOUR, ends))
    assert rings(ends + 90 * MINUTE, (0 * HOUR, ends))
    assert not rings(ends + 7 * HOUR, (0 * HOUR, ends))
    assert not rings(ends + 40 * MINUTE, (0 * HOUR, ends), apart=2 * MINUTE), (
        "fewer than 20 in half an hour"
    )
    assert not rings(13 * HOUR, (1 * HOUR, 12 * HOUR)), "it is new: there was no yesterday"
    assert not rings(day + 17.5 * HOUR, (9 * HOUR, 17 * HOUR), (day + 9 * HOUR, day + 17 * HOUR)), (
        "the day is over"
    )
    assert not rings(day + 10 * HOUR, (9 * HOUR, 17 * HOUR)), "it is Saturday"
    assert not rings(day + 10 * HOUR)


def counted(*ready: int, wanted: int = 10) -> dict[str, Table]:
    """Return how many pods were ready in each minute after midnight."""
    rows = [ready_pods(count, wanted, MIDNIGHT + i * MINUTE) for i, count in enumerate(ready)]
    return {"InsightsMetrics": rows}


@pytest.mark.parametrize(("late", "phase"), [(0, 0), (0, 4), (2, 1), (5, 2), (8, 0), (8, 3)])
def test_no_ready_pod_for_five_minutes_rings(queries: dict[str, Query], late: int, phase: int):
    """On AKS it fires in any phase of Azure's looks, though the counts are late; four minutes do
    not."""
    query = queries["containerlogv2/InferenceNotReady"]
    for minutes, rings in ((5, True), (4, False)):
        tables = counted(*[10] * 30, *[0] * minutes, *[10] * 30)
        looks = [30 + phase + 5 * i for i in range(8)]
        fired = [
            fires_on(
                "InferenceNotReady",
                query,
                {
                    name: [
                        row
                        for row in rows
                        if row["TimeGenerated"] <= MIDNIGHT + (look - late) * MINUTE
                    ]
                    for name, rows in tables.items()
                },
                MIDNIGHT + look * MINUTE,
            )
            for look in looks
        ]
        assert any(fired) is rings


def test_pods_that_crash_or_are_gone_ring(queries: dict[str, Query]):
    """A crash loop fires, and counts that have ended; a rolling update, a service that is scaled
    up or was taken down on purpose don't."""
    none, few = (
        queries[f"containerlogv2/{name}"] for name in ("InferenceNotReady", "InferenceFewReady")
    )

    def rings(tables: dict[str, Table], now: timedelta = 60 * MINUTE) -> tuple[bool, bool]:
        return (
            fires_on("InferenceNotReady", none, tables, MIDNIGHT + now),
            fires_on("InferenceFewReady", few, tables, MIDNIGHT + now),
        )

    crash_loop = [10, 10, 0, 0, 0, 0, 0] * 8
    assert rings(counted(*crash_loop)) == (True, True)
    assert rings(counted(*[10] * 40, *[1] * 20)) == (False, True)
    assert rings(counted(*[10] * 55, *[4] * 5)) == (False, False)
    assert rings(counted(*[10] * 40)) == (True, False), "the counts have ended"
    assert rings(counted(*[10] * 50)) == (False, False), "they are only late"
    assert rings(counted(*[0] * 60, wanted=0)) == (False, False)
    assert rings({"InsightsMetrics": []}) == (False, False)


def test_containers_that_do_not_become_ready_ring(queries: dict[str, Query]):
    """A managed deployment whose probes fail fires after five minutes without an answer. A new
    deployment does not, nor one whose other instances answer."""
    query = queries["managed/InferenceNotReady"]

    def rings(failed: range, answered: range, deployment: str = "blue") -> bool:
        answers = [{"status": 200, "duration_ms": 1.0, "request_id": str(i)} for i in answered]
        return fires_on(
            "InferenceNotReady",
            query,
            {
                "AmlOnlineEndpointEventLog": [
                    endpoint_event("ReadinessProbeFailed", MIDNIGHT + i * MINUTE, deployment)
                    for i in failed
                ],
                "AmlOnlineEndpointTrafficLog": traffic_log(
                    answers, (MIDNIGHT + i * MINUTE for i in answered)
                ),
            },
            MIDNIGHT + HOUR,
        )

    assert rings(range(50, 56), range(30))
    assert not rings(range(50, 54), range(30))
    assert not rings(range(50, 59), range(59)), "other instances answer"
    assert not rings(range(50, 59), range(30), "green"), "it has never answered"
    assert not rings(range(20, 30), range(20)), "long ago"


@pytest.mark.parametrize("pack", PACKS)
def test_predictions_that_are_not_finite_ring(queries: dict[str, Query], pack: str):
    """One in ten predictions fires; one in two hundred does not."""

    def rings(odd: list[int]) -> bool:
        lines = [
            {"request_id": str(i), "duration_ms": 1, "rows": 10, "non_finite": count}
            for i, count in enumerate(odd)
        ]
        tables = event_lines(pack, lines, MINUTE)
        query = queries[f"{pack}/InferenceNonFinite"]
        return fires_on("InferenceNonFinite", query, tables, MIDNIGHT + HOUR - SECOND)

    assert rings([1] * 60)
    assert not rings([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] * 3)


def event_lines(pack: str, lines: Sequence[dict[str, Any]], apart: timedelta) -> dict[str, Table]:
    """Return lines of events as the server writes them."""
    texts = [json.dumps({"timestamp": "", "level": "info", **line}) for line in lines]
    if pack == "managed":
        return {"AmlOnlineEndpointConsoleLog": console_log(texts, moments(apart))}
    return {"ContainerLogV2": container_log(texts, moments(apart))}


FAILING, BACK = {"message": OPEN_MESSAGE}, {"message": "Redis answers again."}
OTHER = {"message": "The model is loaded."}


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize(
    ("lines", "rings"),
    [
        ([FAILING] * 6 + [OTHER] * 9, True),
        ([FAILING] * 5 + [BACK] + [OTHER] * 9, False),
        ([OTHER] * 15, False),
    ],
)
def test_redis_down_rings_after_five_minutes(
    queries: dict[str, Query], pack: str, lines: list[dict[str, Any]], rings: bool
):
    """Workers log the outage once a minute; many workers that log it in one minute count as one
    minute."""
    tables = event_lines(pack, lines, MINUTE)
    query = queries[f"{pack}/RedisDown"]
    assert fires_on("RedisDown", query, tables, MIDNIGHT + 15 * MINUTE - SECOND) is rings
    assert not fires_on(
        "RedisDown", query, event_lines(pack, lines, 4 * SECOND), MIDNIGHT + 2 * MINUTE
    )


def test_a_quota_that_is_used_up_rings(queries: dict[str, Query]):
    """The event of Log Analytics fires; the one that ends it and other events of ingestion do
    not."""
    query = queries["workspace/LogQuotaReached"]

    def rings(*rows: dict[str, Any]) -> bool:
        return fires_on("LogQuotaReached", query, {"_LogOperation": list(rows)}, MIDNIGHT + HOUR)

    stopped = (
        "The data collection stopped due to daily limit of free data reached. "
        "Ingestion status = OverQuota"
    )
    assert rings(operation(stopped))
    assert not rings(operation("Data collection resumed. Ingestion status = RespectQuota"))
    assert not rings(operation("Data of type X was dropped: a field is too long"))
    assert not rings()
