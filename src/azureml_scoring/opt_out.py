"""Turns off what libraries report to their makers on their own.

The libraries read these variables when they are imported, so ``apply`` comes before that: in
score.py and in mlops/__init__.py. Child processes inherit them. docs/privacy.md lists what else is
sent or stored.
"""

from __future__ import annotations

from collections.abc import MutableMapping

VARIABLES = {
    "ORT_DISABLE_TELEMETRY": "1",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
}
"""ONNX Runtime's, and that of Azure Monitor's exporter, which reports to Microsoft how much it
exports."""


def apply(environment: MutableMapping[str, str]) -> None:
    """Set each variable that the user has not set."""
    for name, value in VARIABLES.items():
        environment[name] = environment.get(name) or value
