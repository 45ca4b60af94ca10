"""How reliable the alerts are: the tables of docs/observability.md match the deployed rules."""

import itertools
from datetime import timedelta

import numpy as np
import pytest

from deploy.alert_names import LOG_ALERTS, METRIC_ALERTS, PROMETHEUS_ALERTS, alert_names
from deploy.alert_rates import rings, tables
from deploy.checkout import REPOSITORY
from kusto.envelope import MIDNIGHT, gateway_log, traffic_log, workspace
from kusto.evaluator import Evaluator
from kusto.parser import Query

PAGE = (REPOSITORY / "docs" / "observability.md").read_text()
APART = timedelta(seconds=14)
HALF_AN_HOUR = 128
"""Requests, that far apart."""


@pytest.mark.parametrize("name", ["managed/InferenceErrorRate30m", "gateway/GatewayFailures30m"])
def test_what_is_simulated_is_what_is_deployed(queries: dict[str, Query], name: str):
    """The query and the simulation's rule fire on the same counts."""
    rung = set()
    for before, lately in itertools.product((0, 4, 8, 9, 10, 11, 12, 20, 100), (0, 1, 4, 5, 21)):
        failed = [i < before or i >= HALF_AN_HOUR - lately for i in range(HALF_AN_HOUR)]
        answers = [
            {
                "status": 500 if bad else 200,
                "backend": 424 if bad else 200,
                "duration_ms": 1,
                "request_id": str(i),
            }
            for i, bad in enumerate(failed)
        ]
        arrivals = (MIDNIGHT + APART / 2 + i * APART for i in range(HALF_AN_HOUR))
        rows = (
            traffic_log(answers, arrivals)
            if name.startswith("managed")
            else gateway_log(answers, arrivals)
        )
        table = {"AmlOnlineEndpointTrafficLog": rows, "ApiManagementGatewayLogs": rows}
        now = MIDNIGHT + timedelta(minutes=30)
        (row,) = Evaluator(workspace(**table), now).run(queries[name].tree)
        recent = [
            at > rows[-1]["TimeGenerated"] - timedelta(minutes=5)
            for at in (r["TimeGenerated"] for r in rows)
        ]
        counts = (HALF_AN_HOUR, sum(failed), sum(recent), sum(np.logical_and(failed, recent)))
        expected = bool(rings(*map(np.array, counts)))
        assert (row["SurelyFailed"] > 1) is expected, counts
        rung.add(expected)
    assert rung == {True, False}


def test_the_page_has_what_the_simulation_finds():
    """`PYTHONPATH=tests python -m deploy.alert_rates` prints the rows."""
    assert [row for row in tables() if row not in PAGE] == []


def test_the_page_lists_every_alert_with_its_severity():
    """The page lists no alert that does not exist."""
    listed = {}
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0].startswith("`") and cells[3].isdigit():
            listed |= {name.strip("` "): int(cells[3]) for name in cells[0].split(", ")}
    severities = {name: alert["severity"] for name, alert in (LOG_ALERTS | METRIC_ALERTS).items()}
    prometheus = {name: int(rule["labels"]["severity"]) for name, rule in PROMETHEUS_ALERTS.items()}
    assert listed.keys() == alert_names()
    assert listed == prometheus | severities
    assert {name: severities[name] for name in severities if name in prometheus} == {
        name: prometheus[name] for name in prometheus if name in severities
    }
