"""Runs the alerts on readiness, silence and restarts over outages: on Prometheus by promtool, on
Azure by the queries themselves, in every phase of its looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from deploy.alert_firing import MINUTE, SPANS, fires_on
from deploy.alert_names import LOG_ALERTS
from deploy.prometheus_run import counter, firing
from kusto.envelope import MIDNIGHT, endpoint_event, ready_pods, traffic_log
from kusto.evaluator import Table
from kusto.parser import QUERIES, Query, parse

BEGINS, LASTS = 30, 40
"""Minutes: when an outage begins, and how long it is followed."""

LATE = 5
"""Minutes that a row takes."""

READINESS = ("InferenceNotReady", "InferenceFewReady")
UP = [10] * BEGINS
READY = {
    "no server is ready": [0] * LASTS,
    "no server is ready for 5 minutes": [0] * 5 + [10] * (LASTS - 5),
    "a crash loop, 2 minutes up and 5 down": [0, 0, 0, 0, 0, 10, 10] * 5 + [0] * 5,
    "nine of ten servers are gone": [1] * LASTS,
    "a rolling update": [9, 10] * (LASTS // 2),
}
"""How many of ten servers are ready in each minute of an outage."""


def on_prometheus(ready: Sequence[int]) -> dict[str, int]:
    """Return after how many minutes which alert fires."""
    values = [*UP, *ready]
    wanted = 'namespace="ml-inference", deployment="ml-inference"'
    pods = {
        f'job="scoring", pod="{pod}"': [int(pod < count) for count in values] for pod in range(10)
    }
    found = firing(
        {
            f"kube_deployment_spec_replicas{{{wanted}}}": f"10x{len(values)}",
            f"kube_deployment_status_replicas_available{{{wanted}}}": " ".join(map(str, values)),
            'scoring_workers{job="other"}': f"1x{len(values)}",
            'scoring_ready{job="other"}': f"1x{len(values)}",
            **{f"scoring_workers{{{each}}}": f"1x{len(values)}" for each in pods},
            **{f"scoring_ready{{{each}}}": " ".join(map(str, is_)) for each, is_ in pods.items()},
        },
        range(BEGINS, BEGINS + LASTS),
        READINESS,
    )
    return {name: min(fired) - BEGINS + 1 for name, fired in found.items() if fired}


def restarts() -> set[str]:
    """Return what fires if ten servers restart one after another and their counters begin anew."""
    series = {}
    for pod in range(10):
        labels = f'job="scoring", pod="{pod}"'
        ok = [*counter([60] * (30 + 3 * pod)).split(), *counter([60] * (60 - 3 * pod)).split()]
        series[f'scoring_requests_total{{{labels}, outcome="ok"}}'] = " ".join(ok)
        series[f'scoring_requests_total{{{labels}, outcome="not_ready"}}'] = f"0x{len(ok)}"
    pages = ("InferenceErrorRate", "InferenceErrorBudget1h")
    return {name for name, fired in firing(series, range(20, 90), pages).items() if fired}


def on_azure(name: str, query: Query, tables: Mapping[str, Table], late: int) -> list[float]:
    """Return the minutes from the outage to the alert, in each phase of Azure's looks."""
    every = SPANS[LOG_ALERTS[name]["every"]] // MINUTE
    return [
        next(
            (
                float(look - BEGINS)
                for look in range(BEGINS + phase, BEGINS + LASTS, every)
                if fires_on(name, query, _arrived(tables, look - late), _at(look))
            ),
            float("inf"),
        )
        for phase in range(every)
    ]


def _at(minute: int) -> datetime:
    return MIDNIGHT + minute * MINUTE


def _arrived(tables: Mapping[str, Table], minute: int) -> dict[str, Table]:
    return {
        name: [row for row in rows if row["TimeGenerated"] <= _at(minute)]
        for name, rows in tables.items()
    }


def aks(ready: Sequence[int]) -> dict[str, Table]:
    """Return what the cluster's agent counts."""
    rows = [ready_pods(count, 10, _at(i)) for i, count in enumerate([*UP, *ready])]
    return {"InsightsMetrics": rows}


def managed(ready: Sequence[int]) -> dict[str, Table]:
    """Return what the platform writes: a probe that fails in each minute without a ready server,
    and one answer in each other minute."""
    states = list(enumerate([*UP, *ready]))
    answers = [{"status": 200, "duration_ms": 1.0, "request_id": str(i)} for i, up in states if up]
    return {
        "AmlOnlineEndpointEventLog": [
            endpoint_event("ReadinessProbeFailed", _at(i)) for i, up in states if not up
        ],
        "AmlOnlineEndpointTrafficLog": traffic_log(answers, (_at(i) for i, up in states if up)),
    }


PLATFORMS: dict[str, Callable[[Sequence[int]], dict[str, Table]]] = {
    "containerlogv2": aks,
    "managed": managed,
}


def outage_table(late: int = LATE) -> Iterator[str]:
    """Return a row for each outage: what fires on Prometheus, on AKS' logs and on a managed
    endpoint's, and after how many minutes at the latest."""
    files = {
        f"{pack}/{name}": (QUERIES / pack / f"{name}.kql")
        for pack in PLATFORMS
        for name in READINESS
    }
    queries = parse({name: path.read_text() for name, path in files.items() if path.exists()})
    for title, ready in READY.items():
        cells = [_said(on_prometheus(ready))]
        for pack, tables in PLATFORMS.items():
            cells.append(
                _said(
                    {
                        name: max(on_azure(name, query, tables(ready), late))
                        for file, query in queries.items()
                        for name in [file.partition("/")[2]]
                        if file.startswith(pack)
                    }
                )
            )
        yield f"| {title} | {' | '.join(cells)} |"
    yield f"| ten servers restart one after another | {_said(dict.fromkeys(restarts(), 0))} | | |"


def _said(fired: Mapping[str, float]) -> str:
    said = [
        f"`{name}` after {minutes:.0f}" for name, minutes in fired.items() if minutes < float("inf")
    ]
    return ", ".join(said) or "nothing"
