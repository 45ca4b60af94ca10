"""Prometheus and Log Analytics judge the bins of all servers as ``drift_rule`` judges those of
one."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from azureml_scoring.models.drift_rule import (
    MIN_DRIFT,
    MIN_JUDGED_ROWS,
    STREAM_LEVEL,
    measure,
    score_limit,
)
from deploy.alert_firing import HOUR, fires_on
from deploy.alert_names import LOG_ALERTS, PROMETHEUS_ALERTS
from deploy.test_prometheus_rules import MONITORING, promtool
from kusto.envelope import MIDNIGHT, console_log, container_log, moments, workspace
from kusto.evaluator import Evaluator, Table
from kusto.parser import PACKS, Query

EQUAL = [125.0] * 8
CASES = {
    "as it was": ([*EQUAL, 0], [251, 249, *[250] * 6, 0], 10),
    "moved": ([*EQUAL, 0], [150, 350, 200, 300, *[250] * 4, 0], 10),
    "moved, which is chance among many columns": (
        [*EQUAL, 0],
        [150, 350, 200, 300, *[250] * 4, 0],
        10**4,
    ),
    "moved by little, of many requests": ([125e3] * 8 + [0], [26e3, 24e3, *[25e3] * 6, 0], 10),
    "more of what is rare": ([*EQUAL, 0], [*[240] * 8, 80], 10),
    "little more of what is rare": ([*EQUAL, 5], [*[250] * 8, 14], 10),
    "a constant that is another": ([1000, 0], [400, 400], 1),
    "a constant": ([1000, 0], [800, 0], 1),
    "an empty bin": ([*EQUAL, 0], [0, 500, *[250] * 6, 0], 10),
    "too few": ([*EQUAL, 0], [200, *[40] * 7, 0], 10),
}
"""Rows by bin at packaging, requests now, and the model's columns; the last bin is the rare one."""

BY_CASE = pytest.mark.parametrize("case", CASES)


def drifted(case: str) -> bool:
    then, now, columns = CASES[case]
    return measure(then, now).drifted(columns, STREAM_LEVEL)


def test_the_cases_are_of_both_kinds():
    """Otherwise the tests below would prove little."""
    assert {case for case in CASES if drifted(case)} == {
        *("moved", "more of what is rare", "a constant that is another", "an empty bin")
    }


def lines(case: str, hours: int) -> list[str]:
    """Return what two servers log in these hours."""
    then, now, columns = CASES[case]
    places = [*range(len(then) - 1), -1]
    cells = [
        ["age", place, count / hours / 2, rows]
        for place, count, rows in zip(places, now, then, strict=True)
    ]
    line = {
        "timestamp": "",
        "level": "info",
        "message": "Requests of the last hour by bin, for drift.",
        "model_version": "v1",
        "drift_bins": cells,
        "drift_limit": score_limit(columns, STREAM_LEVEL),
    }
    return [json.dumps(line)] * hours * 2


def logged(pack: str, case: str, hours: int = 24) -> dict[str, Table]:
    envelope = console_log if pack == "managed" else container_log
    table = "AmlOnlineEndpointConsoleLog" if pack == "managed" else "ContainerLogV2"
    return {table: envelope(lines(case, hours), moments(HOUR / 2, MIDNIGHT + HOUR / 4))}


@BY_CASE
@pytest.mark.parametrize("pack", PACKS)
def test_log_analytics_finds_the_same(queries: dict[str, Query], pack: str, case: str):
    """The alert fires on the columns that have drifted, by the index of the service."""
    now, query = MIDNIGHT + 24 * HOUR, queries[f"{pack}/InferenceDrift"]
    tables = logged(pack, case)
    assert fires_on("InferenceDrift", query, tables, now) is drifted(case)
    for row in Evaluator(workspace(**tables), now).run(query.tree):
        then, requests, _ = CASES[case]
        drift = measure(then, requests)
        assert row["Far"] == pytest.approx(drift.index, abs=1e-3) or drift.index == 0
        assert row["Score"] == pytest.approx(drift.score, abs=1e-3)


@pytest.mark.parametrize("pack", PACKS)
def test_a_version_is_not_judged_in_its_first_day(queries: dict[str, Query], pack: str):
    """At night traffic may be another than by day. What is older than a day is past."""
    query, tables = queries[f"{pack}/InferenceDrift"], logged(pack, "moved")
    assert not fires_on("InferenceDrift", query, tables, MIDNIGHT + 20 * HOUR)
    assert fires_on("InferenceDrift", query, tables, MIDNIGHT + 26 * HOUR)
    assert not fires_on("InferenceDrift", query, tables, MIDNIGHT + 50 * HOUR)


@pytest.mark.parametrize("pack", PACKS)
def test_log_analytics_adds_up_the_faults_of_all_servers(queries: dict[str, Query], pack: str):
    """In per cent of the last day's requests, the largest first."""
    cells = [["age", "missing", 1.5, 50.0], ["city", "unseen", 10.0, 50.0]]
    line = json.dumps(
        {"level": "info", "message": "Faults.", "model_version": "v1", "data_faults": cells}
    )
    envelope = console_log if pack == "managed" else container_log
    table = "AmlOnlineEndpointConsoleLog" if pack == "managed" else "ContainerLogV2"
    logs = {table: envelope([line] * 60, moments(HOUR / 2, MIDNIGHT + HOUR / 4))}
    query = queries[f"{pack}/InferenceDataFaults"]
    found = Evaluator(workspace(**logs), MIDNIGHT + 30 * HOUR).run(query.tree)
    assert [(row["Feature"], row["Fault"], row["Percent"]) for row in found] == [
        ("city", "unseen", pytest.approx(20)),
        ("age", "missing", pytest.approx(3)),
    ]
    assert found[0]["Requests"] == pytest.approx(48 * 10)


def test_prometheus_finds_the_same(tmp_path: Path):
    """The alert fires where two pods' bins together have drifted, after a day and an hour."""
    series, alerts = [], []
    for case, (then, now, columns) in CASES.items():
        limit = score_limit(columns, STREAM_LEVEL)
        for pod in "ab":
            labels = f'job="{case}", model_version="v1", pod="{pod}"'
            series.append(_series(f"scoring_drift_score_limit{{{labels}}}", f"{limit}x360"))
            for place, (rows, count) in enumerate(zip(then, now, strict=True)):
                of_bin = f'{labels}, feature="age", bin="{place if place < len(then) - 1 else -1}"'
                counted = f"0x300 {count / 2}x60"
                series.append(_series(f"scoring_drift_requests_total{{{of_bin}}}", counted))
                series.append(_series(f"scoring_drift_baseline_rows{{{of_bin}}}", f"{rows}x360"))
        if drifted(case):
            alerts.append(
                {
                    "exp_labels": {"job": case, "severity": "3"},
                    "exp_annotations": {
                        "summary": f"{case}: columns of inputs and answers that have drifted: 1",
                        "runbook_url": "docs/runbook.md#inferencedrift",
                    },
                }
            )
    rings = {"alertname": "InferenceDrift", "eval_time": "28h", "exp_alerts": alerts}
    silent = {"alertname": "InferenceDrift", "eval_time": "25h"}
    tried = {"interval": "5m", "input_series": series, "alert_rule_test": [silent, rings]}
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": _drift_groups()}))
    file = tmp_path / "drift_test.yml"
    file.write_text(
        yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "5m", "tests": [tried]})
    )
    promtool("test", "rules", file)


def _drift_groups() -> list[dict[str, Any]]:
    """The rules of drift alone: a day of all others takes minutes."""
    groups = yaml.safe_load((MONITORING / "rules.yml").read_text())["groups"]
    for group in groups:
        group["rules"] = [rule for rule in group["rules"] if "drift" in rule["expr"]]
    return [group for group in groups if group["rules"]]


def _series(name: str, values: str) -> dict[str, str]:
    return {"series": name, "values": values}


def test_the_alerts_have_the_rules_limits():
    """What matters is the same everywhere."""
    rule = PROMETHEUS_ALERTS["InferenceDrift"]["expr"]
    assert f"job:scoring_drift:index1d > {MIN_DRIFT}" in rule
    assert f">= {MIN_JUDGED_ROWS}" in rule
    assert LOG_ALERTS["InferenceDrift"]["above"] == MIN_DRIFT
