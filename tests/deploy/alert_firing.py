"""Runs the log alerts of infrastructure/ on rows of tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from deploy.alert_names import LOG_ALERTS
from kusto.envelope import container_log, moments, traffic_log, workspace
from kusto.evaluator import Evaluator, Table
from kusto.parser import Query

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
SPANS = {
    "PT5M": 5 * MINUTE,
    "PT15M": 15 * MINUTE,
    "PT30M": 30 * MINUTE,
    "PT1H": HOUR,
    "PT6H": 6 * HOUR,
    "P1D": 24 * HOUR,
    "P2D": 48 * HOUR,
}


def fires_on(name: str, query: Query, tables: dict[str, Table], now: datetime) -> bool:
    """Return whether the alert fires as in Azure: a row of what its window holds is above the
    threshold."""
    alert = LOG_ALERTS[name]
    reach = SPANS[alert.get("reach", alert["window"])]
    seen = {
        table: [row for row in rows if now - reach <= row["TimeGenerated"] < now]
        for table, rows in tables.items()
    }
    found = Evaluator(workspace(**seen), now).run(query.tree)
    return any(row[alert["column"]] > alert["above"] for row in found)


def fires(name: str, query: Query, rows: Table, now: datetime) -> bool:
    """Return whether the alert fires on requests, in whichever table they are logged."""
    return fires_on(name, query, {"ContainerLogV2": rows, "AmlOnlineEndpointTrafficLog": rows}, now)


def requests(pack: str, answers: Sequence[tuple[int, float]], apart: timedelta) -> Table:
    """Return rows of requests. ``answers``: status and milliseconds."""
    known = [
        {"status": status, "duration_ms": took, "request_id": str(i), "deployment": "blue"}
        for i, (status, took) in enumerate(answers)
    ]
    if pack == "managed":
        return traffic_log(known, moments(apart))
    return container_log(map(json.dumps, known), moments(apart))
