"""The names of all alerts: Azure Monitor's, on logs and on metrics, and Prometheus'."""

from typing import Any

import yaml

from deploy.checkout import REPOSITORY
from terraform.module import INFRASTRUCTURE, Module

RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load(
        (REPOSITORY / "kubernetes" / "monitoring" / "rules.yml").read_text()
    )["groups"]
    for rule in group["rules"]
]
_LOCALS = Module(INFRASTRUCTURE).locals()
LOG_ALERTS: dict[str, dict[str, Any]] = _LOCALS["log_alerts"]
METRIC_ALERTS: dict[str, dict[str, Any]] = {
    alert["name"]: alert
    for alert in (
        *_LOCALS["endpoint_alerts"].values(),
        _LOCALS["gateway_alert"],
        _LOCALS["capacity_alert"],
        _LOCALS["probe_alert"],
    )
}
PROMETHEUS_ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for rule in RULES if "alert" in rule
}


def alert_names() -> set[str]:
    return {*LOG_ALERTS, *METRIC_ALERTS, *PROMETHEUS_ALERTS}
