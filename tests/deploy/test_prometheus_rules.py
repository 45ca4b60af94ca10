"""The files of kubernetes/monitoring/ pass promtool and match each other."""

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from azureml_scoring.errors import ServiceError
from blackbox.server import needs
from deploy.alert_names import PROMETHEUS_ALERTS, RULES
from deploy.checkout import REPOSITORY

MONITORING = REPOSITORY / "kubernetes" / "monitoring"
TESTS = [REPOSITORY / "tests" / "prometheus" / f"{name}_test.yml" for name in ("rules", "hours")]
OUTCOMES = re.compile(r'outcome=~"([^"]*)"')


def promtool(*words: object) -> str:
    needs("promtool", "prometheus")
    done = subprocess.run(
        ["promtool", *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_rules_are_right_and_do_what_they_say():
    """promtool checks each file's syntax, and which alerts fire, by tests/prometheus/."""
    assert f"{len(RULES)} rules found" in promtool("check", "rules", MONITORING / "rules.yml")
    promtool("test", "rules", *TESTS)


def test_each_alert_is_tried():
    """promtool's tests have a case in which it fires and one in which it does not."""
    tried = [
        (case["alertname"], bool(case.get("exp_alerts")))
        for file in TESTS
        for test in yaml.safe_load(file.read_text())["tests"]
        for case in test["alert_rule_test"]
    ]
    alerts = PROMETHEUS_ALERTS.keys()
    assert {name for name, told in tried if told} == alerts
    assert {name for name, told in tried if not told} >= alerts - {"InferenceErrorBudget2d"}


@pytest.mark.parametrize("name", PROMETHEUS_ALERTS)
def test_an_alert_links_to_its_section(name: str):
    """Alerts have Prometheus' usual annotation; the runbook's address is set once for all."""
    expected = f'{{{{ or $externalLabels.runbook_url "docs/runbook.md" }}}}#{name.lower()}'
    assert PROMETHEUS_ALERTS[name]["annotations"]["runbook_url"] == expected


def codes(error: type[Any]) -> Iterator[str]:
    for kind in error.__subclasses__():
        yield kind.code
        yield from codes(kind)


def test_failures_are_those_of_the_service():
    """Each rule counts a new error of ours, and no client's, neither as failed nor as asked."""
    listed = [set(found.split("|")) for rule in RULES for found in OUTCOMES.findall(rule["expr"])]
    assert listed
    ours = set(codes(ServiceError))
    assert all(found in (ours, {"ok", *ours}) for found in listed)


def test_what_is_mounted_is_there():
    """kustomize puts the scrape configuration, the rules and the dashboard into the cluster."""
    kustomization = yaml.safe_load((MONITORING / "kustomization.yaml").read_text())
    named = [
        *kustomization["resources"],
        *(f for one in kustomization["configMapGenerator"] for f in one["files"]),
    ]
    assert sorted(named) == sorted(
        path.name for path in MONITORING.iterdir() if path.name != "kustomization.yaml"
    )
    monitor = yaml.safe_load((MONITORING / "pod-monitor.yaml").read_text())
    assert monitor["spec"]["podMetricsEndpoints"][0]["path"] == "/metrics"


def test_pods_are_asked_once():
    """There is one object of one name, with this component, KEDA's, or both."""
    texts = [
        folder / "pod-monitor.yaml"
        for folder in (MONITORING, MONITORING.parent / "components" / "keda")
    ]
    assert texts[0].read_text() == texts[1].read_text()
