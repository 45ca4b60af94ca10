"""The alerts of infrastructure/ on logs and the workbooks, on top of queries that test_queries.py proves right."""

import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from deploy.alert_names import LOG_ALERTS
from kusto.envelope import (
    MIDNIGHT,
    console_log,
    container_log,
    gateway_log,
    moments,
    operation,
    pod_inventory,
    traffic_log,
    workspace,
)
from kusto.evaluator import Evaluator, Table
from kusto.parser import FILES, PACKS, QUERIES, Query
from redis_link import LEFT_ALONE
from terraform.module import INFRASTRUCTURE, Module

MODULE = Module(INFRASTRUCTURE)
LOCALS = MODULE.locals()
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
NUMBERS = {"real", "long", "int"}
RULES = [
    (name, file) for name, alert in LOG_ALERTS.items() for file in FILES if file.partition("/")[2] == alert["query"]
]
"""Each alert with each pack that has its query."""


def resource(kind: str) -> dict[str, Any]:
    (block,) = (block for block in MODULE.blocks().values() if block.type == kind)
    return block.body


@pytest.mark.parametrize(
    ("name", "above", "severity"),
    [("InferenceLatencyP95", 200, 2), ("InferenceLatencyP99", 500, 3)],
)
def test_latencies_are_watched_over_two_windows(name: str, above: float, severity: int):
    """Of five minutes each, with the thresholds and severities that the objectives have."""
    alert = LOG_ALERTS[name]
    assert (alert["above"], alert["severity"]) == (above, severity)
    assert (alert["window"], alert["periods"], alert["every"]) == ("PT5M", 2, "PT5M")


def test_an_objective_is_watched_in_both_packs():
    """Whichever the models are served by. What only one of them can know, only one watches."""
    packs = {name: {file.partition("/")[0] for other, file in RULES if other == name} for name in LOG_ALERTS}
    alone = {
        "InferenceEndpointSilent": {"managed"},
        "InferenceAbsent": {"containerlogv2"},
        "GatewayFailing": {"gateway"},
        "GatewayBackendUnreachable": {"gateway"},
        "GatewaySilent": {"gateway"},
        "LogQuotaReached": {"workspace"},
    }
    assert packs == {name: alone.get(name, {"managed", "containerlogv2"}) for name in LOG_ALERTS}


@pytest.mark.parametrize(("name", "file"), RULES)
def test_what_an_alert_measures_is_there(queries: dict[str, Query], name: str, file: str):
    """A number to measure, a text to split by, and times where more than one window is looked at."""
    alert = LOG_ALERTS[name]
    columns = queries[file].columns
    assert columns[alert["column"]] in NUMBERS
    assert columns["Service"] == "string"
    assert alert["periods"] == 1 or columns["TimeGenerated"] == "datetime"


@pytest.mark.parametrize(("name", "file"), RULES)
def test_an_alert_hands_its_query_all_that_the_query_looks_back_at(name: str, file: str):
    """Azure cuts off what is older, whatever ago() says."""
    alert = LOG_ALERTS[name]
    text = (QUERIES / f"{file}.kql").read_text()
    named = dict(re.findall(r"let (\w+) = (\w+);", text))
    asked = [named.get(span, span) for span in re.findall(r"ago\((\w+)\)", text)]
    unit = {"m": MINUTE, "h": HOUR, "d": 24 * HOUR}
    window = SPANS[alert.get("reach", alert["window"])] * alert["periods"]
    assert all(int(span[:-1]) * unit[span[-1]] <= window for span in asked)
    assert SPANS[alert["window"]] <= window


def test_alerts_ask_the_files_and_tell_the_action_group():
    """The query is the file's own text, so that what is tested is what runs; who is told is one group."""
    assert "file(" in LOCALS["queries"]
    assert "queries[alert.query]" in LOCALS["log_alerts_by_pack"]
    alert = resource("azurerm_monitor_scheduled_query_rules_alert_v2")
    (criteria,), (action,) = alert["criteria"], alert["action"]
    (periods,), (dimension,) = criteria["failing_periods"], criteria["dimension"]
    assert (criteria["query"], criteria["metric_measure_column"]) == ("${each.value.text}", "${each.value.column}")
    assert (criteria["operator"], criteria["threshold"]) == ("GreaterThan", "${each.value.above}")
    assert (alert["severity"], alert["window_duration"]) == ("${each.value.severity}", "${each.value.window}")
    assert set(periods.values()) - {True} == {"${each.value.periods}"}
    assert (dimension["name"], dimension["values"]) == ("Service", ["*"])
    assert action["action_groups"] == ["${azurerm_monitor_action_group.main.id}"]


def test_the_metric_has_what_is_asked_of_it():
    """Name, dimensions and the one aggregation, as Microsoft lists them: Azure would take any while it has no data.

    https://learn.microsoft.com/azure/azure-monitor/reference/supported-metrics/microsoft-machinelearningservices-workspaces-onlineendpoints-metrics
    """
    (criteria,) = resource("azurerm_monitor_metric_alert")["criteria"]
    assert (criteria["metric_name"], criteria["aggregation"]) == ("RequestsPerMinute", "Average")
    asked = {alert["dimension"] for alert in LOCALS["endpoint_alerts"].values()}
    assert asked < {"deployment", "statusCode", "statusCodeClass", "modelStatusCode"}


def fires_on(name: str, query: Query, tables: dict[str, Table], now: datetime) -> bool:
    """As the service does: the query over so many windows before now; each of them must have a value that is above."""
    alert = LOG_ALERTS[name]
    window, periods = SPANS[alert["window"]], alert["periods"]
    reach = SPANS[alert["reach"]] if "reach" in alert else periods * window
    seen = {table: [row for row in rows if now - reach <= row["TimeGenerated"] < now] for table, rows in tables.items()}
    found = Evaluator(workspace(**seen), now).run(query.tree)
    bad = {
        (now - row["TimeGenerated"] - timedelta(microseconds=1)) // window if periods > 1 else 0
        for row in found
        if row[alert["column"]] > alert["above"]
    }
    return bad == set(range(periods))


def fires(name: str, query: Query, rows: Table, now: datetime) -> bool:
    """On requests, in whichever table they are logged."""
    return fires_on(name, query, {"ContainerLogV2": rows, "AmlOnlineEndpointTrafficLog": rows}, now)


def requests(pack: str, answers: Sequence[tuple[int, float]], apart: timedelta) -> Table:
    """``answers``: status and milliseconds."""
    known = [
        {"status": status, "duration_ms": took, "request_id": str(i), "deployment": "blue"}
        for i, (status, took) in enumerate(answers)
    ]
    if pack == "managed":
        return traffic_log(known, moments(apart))
    return container_log(map(json.dumps, known), moments(apart))


FAST, SLOW, STUCK, FAILED, REFUSED = (200, 20.0), (200, 250.0), (200, 900.0), (500, 5.0), (422, 1.0)


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("InferenceLatencyP95", [FAST] * 94 + [SLOW] * 6),
        ("InferenceLatencyP99", [FAST] * 98 + [STUCK] * 2),
    ],
)
def test_an_alert_needs_two_bad_windows_in_a_row(
    queries: dict[str, Query], pack: str, name: str, bad: list[tuple[int, float]]
):
    """Neither one of them does it, nor two with a good one between."""
    query = queries[f"{pack}/{LOG_ALERTS[name]['query']}"]
    good = [FAST] * 95 + [REFUSED] * 5
    for windows, expected in (
        ([bad, bad], True),
        ([good, bad, bad], True),
        ([good, bad], False),
        ([bad, good], False),
        ([bad, good, bad], False),
        ([good, good], False),
    ):
        rows = requests(pack, [answer for window in windows for answer in window], 3 * SECOND)
        assert fires(name, query, rows, MIDNIGHT + len(windows) * 5 * MINUTE) is expected


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize(
    ("name", "share", "hours"),
    [("InferenceErrorBudget1h", 50, 1), ("InferenceErrorBudget6h", 100, 6), ("InferenceErrorBudget1d", 250, 24)],
)
def test_a_burning_error_budget_is_told_while_it_burns(
    queries: dict[str, Query], pack: str, name: str, share: int, hours: int
):
    """2, 1 and 0.4 per cent of failures; not a tenth of that, and no longer soon after it has ended."""
    query = queries[f"{pack}/{LOG_ALERTS[name]['query']}"]
    count = 3000
    apart = timedelta(hours=hours) / count
    short = count // 12

    def after(answers: list[tuple[int, float]]) -> bool:
        return fires(name, query, requests(pack, answers, apart), MIDNIGHT + len(answers) * apart)

    burning = [FAILED if i % share == 0 else FAST for i in range(count)]
    smouldering = [FAILED if i % (10 * share) == 0 else FAST for i in range(count)]
    assert after(burning)
    assert not after(smouldering)
    assert not after([FAST] * (count - 1) + [FAILED])
    assert not after(burning[: count - short] + [FAST] * (short + 1))


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize(
    ("requests_in_all", "failures", "rings"),
    [
        (120, 2, False),
        (5, 5, True),
        (4, 4, False),
        (120, 8, False),
        (120, 12, True),
        (3000, 40, False),
        (3000, 60, True),
    ],
)
def test_failures_ring_when_chance_does_not_explain_them(
    queries: dict[str, Query], pack: str, requests_in_all: int, failures: int, rings: bool
):
    """Of half an hour. Two of 120 are no outage; five of five are, and so are two per cent of many."""
    query = queries[f"{pack}/InferenceErrorRate30m"]
    answers = [FAILED if i % (requests_in_all // failures) == 0 else FAST for i in range(requests_in_all)]
    surplus = answers.count(FAILED) - failures
    answers = [
        FAST if answer == FAILED and answers[:i].count(FAILED) < surplus else answer for i, answer in enumerate(answers)
    ]
    rows = requests(pack, answers, 30 * MINUTE / requests_in_all)
    assert fires("InferenceErrorRate", query, rows, MIDNIGHT + 30 * MINUTE - SECOND) is rings


@pytest.mark.parametrize("pack", PACKS)
def test_failures_that_have_ended_ring_no_longer(queries: dict[str, Query], pack: str):
    """After five good minutes, though the half hour still holds them. Refusals never ring."""
    query = queries[f"{pack}/InferenceErrorRate30m"]
    outage = [FAILED] * 60
    for answers, rings in (([FAST] * 60 + outage, True), (outage + [FAST] * 61, False), ([REFUSED] * 120, False)):
        rows = requests(pack, answers, 5 * SECOND)
        assert fires("InferenceErrorRate", query, rows, MIDNIGHT + len(answers) * 5 * SECOND) is rings


GOOD, MODELS, REFUSED_KEY = (
    {"status": 200, "backend": 200},
    {"status": 500, "backend": 424},
    {"status": 401, "backend": None},
)
REFUSED_INPUT, OVERLOADED = {"status": 422, "backend": 424}, {"status": 429, "backend": 429}
TOO_OFTEN = {"status": 429, "backend": None, "reason": "RateLimitExceeded"}
UNREACHED = {"status": 502, "backend": None, "reason": "BackendConnectionFailure"}
BROKEN = {"status": 503, "backend": 0}


@pytest.mark.parametrize(
    ("answers", "failing", "unreachable"),
    [
        ([GOOD] * 118 + [MODELS] * 2, False, False),
        ([GOOD] * 100 + [MODELS] * 20, True, False),
        ([GOOD] * 100 + [OVERLOADED] * 20, True, False),
        ([GOOD] * 100 + [UNREACHED] * 20, True, True),
        ([GOOD] * 100 + [BROKEN] * 20, True, True),
        ([GOOD] * 60 + [REFUSED_INPUT] * 30 + [TOO_OFTEN] * 30, False, False),
        ([REFUSED_KEY] * 1000 + [UNREACHED] * 5, True, True),
        ([UNREACHED] * 4, False, False),
        ([UNREACHED] * 60 + [GOOD] * 120, False, False),
    ],
)
def test_the_gateway_rings_by_what_clients_see(
    queries: dict[str, Query], answers: list[dict[str, Any]], failing: bool, unreachable: bool
):
    """Failures, and apart from the model's own those where no endpoint answered; never what clients did wrong."""
    apart = 15 * MINUTE / len(answers)
    tables = {"ApiManagementGatewayLogs": gateway_log(answers, moments(apart))}
    now = MIDNIGHT + 15 * MINUTE
    for name, rings in (("GatewayFailing", failing), ("GatewayBackendUnreachable", unreachable)):
        assert fires_on(name, queries["gateway/GatewayFailures30m"], tables, now) is rings


def silence(file: str, *busy: tuple[timedelta, timedelta], apart: timedelta = MINUTE) -> dict[str, Table]:
    """One request each ``apart`` within each of the spans of time after midnight."""
    times = [MIDNIGHT + start + i * apart for start, end in busy for i in range((end - start) // apart)]
    if file.startswith("gateway"):
        return {"ApiManagementGatewayLogs": gateway_log([GOOD] * len(times), iter(times))}
    known = [{"status": 200, "duration_ms": 1.0, "request_id": str(i)} for i in range(len(times))]
    return {"AmlOnlineEndpointTrafficLog": traffic_log(known, iter(times))}


@pytest.mark.parametrize(
    ("name", "file"),
    [("InferenceEndpointSilent", "managed/InferenceEndpointSilent"), ("GatewaySilent", "gateway/GatewaySilent")],
)
def test_silence_rings_where_there_was_traffic(queries: dict[str, Query], name: str, file: str):
    """After half an hour, for some hours. Not where it is new, idle or slow, nor at night or on Saturdays."""
    day, query = 24 * HOUR, queries[file]

    def rings(now: timedelta, *busy: tuple[timedelta, timedelta], apart: timedelta = MINUTE) -> bool:
        return fires_on(name, query, silence(file, *busy, apart=apart), MIDNIGHT + now)

    ends = day + 12 * HOUR
    assert not rings(ends + 25 * MINUTE, (0 * HOUR, ends))
    assert rings(ends + 31 * MINUTE, (0 * HOUR, ends))
    assert rings(ends + 90 * MINUTE, (0 * HOUR, ends))
    assert not rings(ends + 7 * HOUR, (0 * HOUR, ends))
    assert not rings(ends + 40 * MINUTE, (0 * HOUR, ends), apart=2 * MINUTE), "fewer than 20 in half an hour"
    assert not rings(13 * HOUR, (1 * HOUR, 12 * HOUR)), "it is new: there was no yesterday"
    assert not rings(day + 17.5 * HOUR, (9 * HOUR, 17 * HOUR), (day + 9 * HOUR, day + 17 * HOUR)), "the day is over"
    assert not rings(day + 10 * HOUR, (9 * HOUR, 17 * HOUR)), "it is Saturday"
    assert not rings(day + 10 * HOUR)


def test_no_running_container_rings_where_there_was_one(queries: dict[str, Query]):
    """Also where the inventory has ended. A crash loop runs none; a sidecar is not the server."""
    query = queries["containerlogv2/InferenceAbsent"]
    running, waiting = {"inference": "running"}, {"inference": "waiting", "istio-proxy": "running"}

    def rings(*minutes: list[dict[str, str]], now: timedelta) -> bool:
        rows = [row for i, pods in enumerate(minutes) for row in pod_inventory(pods, MIDNIGHT + i * MINUTE)]
        return fires_on("InferenceAbsent", query, {"KubePodInventory": rows}, MIDNIGHT + now)

    assert not rings(*[[running, waiting]] * 30, now=30 * MINUTE)
    assert rings(*[[running]] * 10, *[[waiting, waiting]] * 20, now=30 * MINUTE)
    assert rings(*[[running]] * 10, now=30 * MINUTE)
    assert not rings(*[[running]] * 25, now=30 * MINUTE), "inventory is only late"
    assert not rings(*[[waiting]] * 30, now=30 * MINUTE), "it has never run"
    assert not rings(*[[running]] * 10, now=7 * HOUR), "it was taken down long ago"


def logged(pack: str, lines: Sequence[dict[str, Any]], apart: timedelta) -> dict[str, Table]:
    """Lines of events, as the server writes them."""
    texts = [json.dumps({"timestamp": "", "level": "info", **line}) for line in lines]
    if pack == "managed":
        return {"AmlOnlineEndpointConsoleLog": console_log(texts, moments(apart))}
    return {"ContainerLogV2": container_log(texts, moments(apart))}


FAILING, BACK = {"message": LEFT_ALONE}, {"message": "Redis answers again."}
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
    """By what workers say once a minute; many workers that say it in one minute are one minute."""
    tables = logged(pack, lines, MINUTE)
    query = queries[f"{pack}/RedisDown"]
    assert fires_on("RedisDown", query, tables, MIDNIGHT + 15 * MINUTE - SECOND) is rings
    assert not fires_on("RedisDown", query, logged(pack, lines, 4 * SECOND), MIDNIGHT + 2 * MINUTE)


@pytest.mark.parametrize("pack", PACKS)
def test_drift_rings_when_it_lasts(queries: dict[str, Query], pack: str):
    """Of one feature, for half an hour or more. Once is not enough, nor 0.25 itself, nor another feature each time."""

    def rings(*logged_each_quarter: dict[str, float]) -> bool:
        lines = [{"message": "Features have drifted.", "drift": drift} for drift in logged_each_quarter]
        tables = logged(pack, lines, 15 * MINUTE)
        return fires_on("InferenceDrift", queries[f"{pack}/InferenceDrift"], tables, MIDNIGHT + HOUR - SECOND)

    assert rings(*[{"age": 0.31, "bmi": 0.12}] * 4)
    assert not rings({"age": 5.0})
    assert not rings(*[{"age": 0.25}] * 4)
    assert not rings({"age": 0.31}, {"age": 0.31}, {"age": 0.2}, {"age": 0.31})
    assert not rings({"age": 0.31}, {"age": 0.31}, {"bmi": 0.31}, {"bmi": 0.31})


def test_a_quota_that_is_used_up_rings(queries: dict[str, Query]):
    """As Log Analytics says it. Not when it takes in logs again, nor for other events of ingestion."""
    query = queries["workspace/LogQuotaReached"]

    def rings(*rows: dict[str, Any]) -> bool:
        return fires_on("LogQuotaReached", query, {"_LogOperation": list(rows)}, MIDNIGHT + HOUR)

    stopped = "The data collection stopped due to daily limit of free data reached. Ingestion status = OverQuota"
    assert rings(operation(stopped))
    assert not rings(operation("Data collection resumed. Ingestion status = RespectQuota"))
    assert not rings(operation("Data of type X was dropped: a field is too long"))
    assert not rings()


@pytest.mark.parametrize("pack", [*PACKS, "gateway"])
def test_the_workbooks_show_the_files_of_queries(queries: dict[str, Query], pack: str):
    """Each of their queries is one of them, put in by Terraform, and has the columns that are drawn."""
    book = json.loads(
        (INFRASTRUCTURE / "workbooks" / f"{'gateway' if pack == 'gateway' else 'inference'}.json").read_text()
    )
    shown = {item["name"]: item["content"] for item in book["items"] if item["type"] == 3}
    assert shown
    for name, content in shown.items():
        assert content["query"] == f"${{{name}}}"
        columns = queries[f"{pack}/{name}"].columns
        assert all(columns[drawn] in NUMBERS for drawn in content.get("chartSettings", {}).get("yAxis", []))
        assert "TimeGenerated" in columns or content["visualization"] == "table"
        looks_back = "ago(" in (QUERIES / pack / f"{name}.kql").read_text()
        assert ("timeContext" in content) is looks_back, "a query with its own window is not cut to the reader's"
    placed = set(re.findall(r"\$\{(\w+)\}", json.dumps(book)))
    assert placed == {*shown, "workspace_id", "runbook"}
