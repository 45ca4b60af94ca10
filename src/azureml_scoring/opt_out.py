"""Turns off what libraries report to their makers by default.

The libraries read these variables when they are imported, so score.py and mlops/__init__.py call
``apply`` before that. Child processes inherit them. docs/privacy.md lists what else is sent or
stored.
"""

from __future__ import annotations

from collections.abc import MutableMapping

VARIABLES = {
    "ORT_DISABLE_TELEMETRY": "1",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""Variables of ONNX Runtime, of Azure Monitor's exporter, which reports to Microsoft how much it
exports, and of MLflow, which a model may import."""


def apply(environment: MutableMapping[str, str]) -> None:
    """Set each variable that the user has not set."""
    for name, value in VARIABLES.items():
        environment[name] = environment.get(name) or value
