"""The alerts and the workbook of infrastructure/alerts.tf, on top of queries that test_queries.py proves right."""

import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import hcl2
import pytest

from deploy.checkout import REPOSITORY
from kusto.envelope import MIDNIGHT, container_log, moments, traffic_log, workspace
from kusto.evaluator import Evaluator, Table
from kusto.parser import PACKS, Query

INFRASTRUCTURE = REPOSITORY / "infrastructure"
MODULE = hcl2.loads(
    (INFRASTRUCTURE / "alerts.tf").read_text(),
    serialization_options=hcl2.SerializationOptions(strip_string_quotes=True, with_comments=False),
)
(LOCALS,) = MODULE["locals"]
OBJECTIVES: dict[str, dict[str, Any]] = LOCALS["objectives"]
WINDOWS = {
    "PT5M": timedelta(minutes=5),
    "PT1H": timedelta(hours=1),
    "PT6H": timedelta(hours=6),
    "P1D": timedelta(days=1),
}
NUMBERS = {"real", "long", "int"}


def resource(kind: str) -> dict[str, Any]:
    (found,) = (body for one in MODULE["resource"] for name, body in one.items() if name == kind)
    (body,) = (body for label, body in found.items() if not label.startswith("__"))
    return dict(body)


@pytest.mark.parametrize(
    ("name", "above", "severity"),
    [("InferenceLatencyP95", 200, 2), ("InferenceLatencyP99", 500, 3), ("InferenceErrorRate", 1, 1)],
)
def test_objectives_are_watched_over_two_windows(name: str, above: float, severity: int):
    """Of five minutes each, with the thresholds and severities that the objectives have."""
    alert = OBJECTIVES[name]
    assert (alert["above"], alert["severity"]) == (above, severity)
    assert (alert["window"], alert["periods"], alert["every"]) == ("PT5M", 2, "PT5M")


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_what_an_alert_measures_is_there(queries: dict[str, Query], pack: str, name: str):
    """A number to measure, a text to split by, and times where more than one window is looked at."""
    alert = OBJECTIVES[name]
    columns = queries[f"{pack}/{alert['query']}"].columns
    assert columns[alert["column"]] in NUMBERS
    assert columns["Service"] == "string"
    assert alert["periods"] == 1 or columns["TimeGenerated"] == "datetime"


def test_alerts_ask_the_files_and_tell_the_action_group():
    """The query is the file's own text, so that what is tested is what runs; who is told is one group."""
    assert "file(" in LOCALS["queries"]
    assert "queries[objective.query]" in LOCALS["alerts"]
    alert = resource("azurerm_monitor_scheduled_query_rules_alert_v2")
    (criteria,), (action,) = alert["criteria"], alert["action"]
    (periods,), (dimension,) = criteria["failing_periods"], criteria["dimension"]
    assert (criteria["query"], criteria["metric_measure_column"]) == ("${each.value.text}", "${each.value.column}")
    assert (criteria["operator"], criteria["threshold"]) == ("GreaterThan", "${each.value.above}")
    assert (alert["severity"], alert["window_duration"]) == ("${each.value.severity}", "${each.value.window}")
    assert set(periods.values()) - {True} == {"${each.value.periods}"}
    assert (dimension["name"], dimension["values"]) == ("Service", ["*"])
    assert action["action_groups"] == ["${azurerm_monitor_action_group.main.id}"]


def fires(name: str, query: Query, rows: Table, now: datetime) -> bool:
    """As the service does: the query over so many windows before now; each of them must have a value that is above."""
    alert = OBJECTIVES[name]
    window, periods = WINDOWS[alert["window"]], alert["periods"]
    seen = [row for row in rows if now - periods * window <= row["TimeGenerated"] < now]
    tables = workspace(ContainerLogV2=seen, AmlOnlineEndpointTrafficLog=seen)
    found = Evaluator(tables, now).run(query.tree)
    bad = {
        (now - row["TimeGenerated"] - timedelta(microseconds=1)) // window if periods > 1 else 0
        for row in found
        if row[alert["column"]] > alert["above"]
    }
    return bad == set(range(periods))


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
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("InferenceLatencyP95", [FAST] * 94 + [SLOW] * 6),
        ("InferenceLatencyP99", [FAST] * 98 + [STUCK] * 2),
        ("InferenceErrorRate", [FAST] * 98 + [FAILED] * 2),
    ],
)
def test_an_alert_needs_two_bad_windows_in_a_row(
    queries: dict[str, Query], pack: str, name: str, bad: list[tuple[int, float]]
):
    """Neither one of them does it, nor two with a good one between."""
    query = queries[f"{pack}/{OBJECTIVES[name]['query']}"]
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
    query = queries[f"{pack}/{OBJECTIVES[name]['query']}"]
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
def test_the_workbook_shows_the_files_of_queries(queries: dict[str, Query], pack: str):
    """Each of its queries is one of them, put in by Terraform, and has the columns that are drawn."""
    book = json.loads((INFRASTRUCTURE / "workbook.json").read_text())
    shown = {item["name"]: item["content"] for item in book["items"] if item["type"] == 3}
    assert "InferenceSLOMetrics" in shown
    for name, content in shown.items():
        assert content["query"] == f"${{{name}}}"
        columns = queries[f"{pack}/{name}"].columns
        assert all(columns[drawn] in NUMBERS for drawn in content.get("chartSettings", {}).get("yAxis", []))
        assert "TimeGenerated" in columns or content["visualization"] == "table"
    placed = set(re.findall(r"\$\{(\w+)\}", json.dumps(book)))
    assert placed == {*shown, "workspace_id"}
