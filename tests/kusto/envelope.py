"""What Azure makes of a server's output: one row of a table for each line, or for each answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from kusto.evaluator import Table

TABLES = (
    "ContainerLogV2",
    "AmlOnlineEndpointConsoleLog",
    "AmlOnlineEndpointTrafficLog",
    "AmlOnlineEndpointEventLog",
    "ApiManagementGatewayLogs",
    "AppRequests",
    "AppDependencies",
    "Usage",
    "InsightsMetrics",
    "_LogOperation",
)

MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)


def moments(apart: timedelta, start: datetime = MIDNIGHT) -> Iterator[datetime]:
    """Arrival times. Tests that send within seconds spread what they sent over hours."""
    while True:
        yield start
        start += apart


def container_log(lines: Iterable[str], arrivals: Iterator[datetime]) -> Table:
    """Container insights: a line of JSON becomes a dynamic value, any other a text."""
    return [
        {
            "TimeGenerated": at,
            "PodName": "ml-inference-7c9f",
            "PodNamespace": "ml-inference",
            "ContainerName": "inference",
            "LogSource": "stdout",
            "LogLevel": "UNKNOWN",
            "LogMessage": json.loads(line) if line.startswith("{") else line,
        }
        for line, at in zip(lines, arrivals, strict=False)
    ]


def console_log(lines: Iterable[str], arrivals: Iterator[datetime]) -> Table:
    return [
        {
            "TimeGenerated": at,
            "DeploymentName": "blue",
            "InstanceId": "instance-0",
            "ContainerName": "inference-server",
            "Message": line,
        }
        for line, at in zip(lines, arrivals, strict=False)
    ]


def traffic_log(answers: Iterable[Mapping[str, Any]], arrivals: Iterator[datetime]) -> Table:
    """``answers``: the model's own ``status``, ``duration_ms``, ``request_id`` and perhaps the
    ``client_request_id``.

    Azure answers 424 for whatever the model did not answer with 200.
    """
    return [
        {
            "TimeGenerated": at,
            "EndpointName": "diabetes",
            "DeploymentName": "blue",
            "ResponseCode": "200" if answer["status"] == 200 else "424",
            "ResponseCodeReason": "OK" if answer["status"] == 200 else "model_error",
            "ModelStatusCode": answer["status"],
            "TotalDurationMs": round(answer["duration_ms"]),
            "XRequestId": answer["request_id"],
            "XMSClientRequestId": answer.get("client_request_id", ""),
        }
        for answer, at in zip(answers, arrivals, strict=False)
    ]


def gateway_log(answers: Iterable[Mapping[str, Any]], arrivals: Iterator[datetime]) -> Table:
    """``answers``: the client's ``status``; ``backend``, the endpoint's, or None; perhaps a
    ``reason``."""
    return [
        {
            "TimeGenerated": at,
            "ApiId": "inference",
            "CorrelationId": f"gateway-{at.timestamp()}",
            "ResponseCode": answer["status"],
            "BackendResponseCode": answer["backend"],
            "IsRequestSuccess": answer["status"] < 400,
            "LastErrorReason": answer.get("reason", ""),
            "TotalTime": 20,
        }
        for answer, at in zip(answers, arrivals, strict=False)
    ]


def ready_pods(ready: int, wanted: int, at: datetime) -> dict[str, Any]:
    """Return what Container insights counts once a minute."""
    return {
        "TimeGenerated": at,
        "Namespace": "container.azm.ms/kubestate",
        "Name": "kube_deployment_status_replicas_ready",
        "Val": float(ready),
        "Tags": json.dumps(
            {
                "deployment": "ml-inference",
                "k8sNamespace": "ml-inference",
                "spec_replicas": wanted,
                "status_replicas_available": ready,
            }
        ),
    }


def endpoint_event(name: str, at: datetime, deployment: str = "blue") -> dict[str, Any]:
    """Return a row that the platform writes on a container."""
    return {
        "TimeGenerated": at,
        "DeploymentName": deployment,
        "InstanceId": "instance-0",
        "Name": name,
        "Message": "",
    }


def operation(detail: str, at: datetime = MIDNIGHT) -> dict[str, Any]:
    """Return a line of a workspace on its own ingestion."""
    return {
        "TimeGenerated": at,
        "Category": "Ingestion",
        "Operation": "Data collection Status",
        "Level": "Warning",
        "Detail": detail,
    }


def workspace(**tables: Table) -> dict[str, Table]:
    """All tables that queries name; empty those that nothing is written to."""
    return {name: tables.get(name, []) for name in TABLES}
