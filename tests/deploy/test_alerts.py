"""How the alerts of infrastructure/ are connected to queries, metrics and people. test_queries.py
tests the queries."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from azure_cli.parser import METRICS
from azureml_scoring.errors import ClientError, ScoringError
from deploy.alert_firing import HOUR, MINUTE, SPANS
from deploy.alert_names import LOG_ALERTS, PROMETHEUS_ALERTS
from deploy.checkout import REPOSITORY
from kusto.parser import FILES, PACKS, QUERIES, Query
from terraform.module import INFRASTRUCTURE, Module

MODULE = Module(INFRASTRUCTURE)
LOCALS = MODULE.locals()
NUMBERS = {"real", "long", "int"}
RULES = [
    (name, file)
    for name, alert in LOG_ALERTS.items()
    for file in FILES
    if file.partition("/")[2] == alert["query"]
]
"""Each alert with each pack that has its query."""


def resource(kind: str) -> dict[str, Any]:
    (block,) = (block for block in MODULE.blocks().values() if block.type == kind)
    return block.body


def test_an_objective_is_watched_in_both_packs():
    """Each objective is watched on AKS and on managed endpoints; what only one platform can know,
    only one watches."""
    packs = {
        name: {file.partition("/")[0] for other, file in RULES if other == name}
        for name in LOG_ALERTS
    }
    alone = {
        "InferenceFewReady": {"containerlogv2"},
        "GatewayFailing": {"gateway"},
        "GatewayBackendUnreachable": {"gateway"},
        "GatewaySilent": {"gateway"},
        "LogQuotaReached": {"workspace"},
    }
    assert packs == {name: alone.get(name, {"managed", "containerlogv2"}) for name in LOG_ALERTS}


@pytest.mark.parametrize(("name", "file"), RULES)
def test_what_an_alert_measures_is_there(queries: dict[str, Query], name: str, file: str):
    """The query has a number to measure and a text to split by."""
    alert = LOG_ALERTS[name]
    columns = queries[file].columns
    assert columns[alert["column"]] in NUMBERS
    assert columns["Service"] == "string"


@pytest.mark.parametrize(("name", "file"), RULES)
def test_an_alert_hands_its_query_all_that_the_query_looks_back_at(name: str, file: str):
    """Azure cuts off older rows, whatever ago() says."""
    alert = LOG_ALERTS[name]
    text = (QUERIES / f"{file}.kql").read_text()
    named = dict(re.findall(r"let (\w+) = (\w+);", text))
    asked = [named.get(span, span) for span in re.findall(r"ago\((\w+)\)", text)]
    unit = {"m": MINUTE, "h": HOUR, "d": 24 * HOUR}
    window = SPANS[alert.get("reach", alert["window"])]
    assert all(int(span[:-1]) * unit[span[-1]] <= window for span in asked)
    assert SPANS[alert["window"]] <= window


def test_alerts_ask_the_files_and_tell_the_action_group():
    """The query is the file's text, so the tests cover what runs; one group is notified."""
    assert "file(" in LOCALS["queries"]
    assert "queries[alert.query]" in LOCALS["log_alerts_by_pack"]
    alert = resource("azurerm_monitor_scheduled_query_rules_alert_v2")
    (criteria,), (action,) = alert["criteria"], alert["action"]
    (dimension,) = criteria["dimension"]
    assert (criteria["query"], criteria["metric_measure_column"]) == (
        "${each.value.text}",
        "${each.value.column}",
    )
    assert (criteria["operator"], criteria["threshold"]) == ("GreaterThan", "${each.value.above}")
    assert (alert["severity"], alert["window_duration"]) == (
        "${each.value.severity}",
        "${each.value.window}",
    )
    assert (dimension["name"], dimension["values"]) == ("Service", ["*"])
    assert action["action_groups"] == ["${azurerm_monitor_action_group.main.id}"]


def test_the_metric_has_what_is_asked_of_it():
    """Name, dimensions and the one aggregation are in Microsoft's list: Azure would accept any
    while it has no data.

    https://learn.microsoft.com/azure/azure-monitor/reference/supported-metrics/microsoft-machinelearningservices-workspaces-onlineendpoints-metrics
    """
    (criteria,) = MODULE.blocks()["azurerm_monitor_metric_alert.endpoint"].body["criteria"]
    assert (criteria["metric_name"], criteria["aggregation"]) == ("RequestsPerMinute", "Average")
    asked = {
        dimension["name"]
        for alert in LOCALS["endpoint_alerts"].values()
        for dimension in alert["dimensions"]
    }
    assert asked < {"deployment", "statusCode", "statusCodeClass", "modelStatusCode"}


def test_the_platforms_metrics_are_in_microsofts_list():
    """So are their aggregations and dimensions: Azure would accept any while there are no data."""
    known = {name: metric for one in METRICS.values() for name, metric in one.items()}
    text = (INFRASTRUCTURE / "metric_alerts.tf").read_text()
    rules = re.findall(
        r"metric = (.*?), (?:aggregation = (\S+), )?above = \d+, each = (\w+|\S+)", text
    )
    assert len(rules) == 7
    for names, aggregation, dimension in rules:
        for name in re.findall(r'"(\w+)"', names):
            assert (aggregation.strip('"') or "Average") in known[name]["aggregations"]
            assert dimension == "null" or dimension.strip('"') in known[name]["dimensions"]


def test_what_the_model_refuses_is_no_failure_of_the_endpoint():
    """A client's error does not fire, whatever its status; any other status behind a 424, or none,
    does."""
    by_status, by_model = LOCALS["endpoint_alerts"]["model"]["dimensions"]
    assert (by_status["values"], by_model["operator"]) == (["424"], "Exclude")
    assert {str(int(error.status)) for error in every(ClientError)} | {"404"} == set(
        by_model["values"]
    )


def every(error: type[ScoringError]) -> Iterator[type[ScoringError]]:
    for kind in error.__subclasses__():
        yield kind
        yield from every(kind)


def test_readiness_is_looked_for_in_the_pods_that_are_deployed():
    """The queries and the rules name the Deployment as the manifests do."""
    deployment = yaml.safe_load(
        (REPOSITORY / "kubernetes" / "base" / "deployment.yaml").read_text()
    )
    name = deployment["metadata"]["name"]
    for query in ("InferenceNotReady", "InferenceFewReady"):
        text = (QUERIES / "containerlogv2" / f"{query}.kql").read_text()
        assert f'tostring(Tag.deployment) == "{name}"' in text
    assert f'{{deployment="{name}"}}' in PROMETHEUS_ALERTS["InferenceFewReady"]["expr"]


@pytest.mark.parametrize("pack", [*PACKS, "gateway"])
def test_the_workbooks_show_the_files_of_queries(queries: dict[str, Query], pack: str):
    """Each query of a workbook is a file that Terraform puts in, and has the columns that are
    drawn."""
    book = json.loads(
        (
            INFRASTRUCTURE / "workbooks" / f"{'gateway' if pack == 'gateway' else 'inference'}.json"
        ).read_text()
    )
    shown = {item["name"]: item["content"] for item in book["items"] if item["type"] == 3}
    assert shown
    for name, content in shown.items():
        assert content["query"] == f"${{{name}}}"
        columns = queries[f"{pack}/{name}"].columns
        assert all(
            columns[drawn] in NUMBERS for drawn in content.get("chartSettings", {}).get("yAxis", [])
        )
        assert "TimeGenerated" in columns or content["visualization"] == "table"
        looks_back = "ago(" in (QUERIES / pack / f"{name}.kql").read_text()
        assert ("timeContext" in content) is looks_back, (
            "a query with its own window is not cut to the reader's"
        )
    placed = set(re.findall(r"\$\{(\w+)\}", json.dumps(book)))
    assert placed == {*shown, "workspace_id", "runbook"}
