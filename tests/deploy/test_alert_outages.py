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
    gateway_log,
    moments,
    operation,
    pod_inventory,
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
    known = [{"status": 200, "duration_ms": 1.0, "request_id": str(i)} for i in range(len(times))]
    return {"AmlOnlineEndpointTrafficLog": traffic_log(known, iter(times))}


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("InferenceEndpointSilent", "managed/InferenceEndpointSilent"),
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


def test_no_running_container_rings_where_there_was_one(queries: dict[str, Query]):
    """It fires even if the inventory has ended. A crash loop runs no container, and a sidecar is
    not the server."""
    query = queries["containerlogv2/InferenceAbsent"]
    running, waiting = {"inference": "running"}, {"inference": "waiting", "istio-proxy": "running"}

    def rings(*minutes: list[dict[str, str]], now: timedelta) -> bool:
        rows = [
            row
            for i, pods in enumerate(minutes)
            for row in pod_inventory(pods, MIDNIGHT + i * MINUTE)
        ]
        return fires_on("InferenceAbsent", query, {"KubePodInventory": rows}, MIDNIGHT + now)

    assert not rings(*[[running, waiting]] * 30, now=30 * MINUTE)
    assert rings(*[[running]] * 10, *[[waiting, waiting]] * 20, now=30 * MINUTE)
    assert rings(*[[running]] * 10, now=30 * MINUTE)
    assert not rings(*[[running]] * 25, now=30 * MINUTE), "inventory is only late"
    assert not rings(*[[waiting]] * 30, now=30 * MINUTE), "it has never run"
    assert not rings(*[[running]] * 10, now=7 * HOUR), "it was taken down long ago"


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
