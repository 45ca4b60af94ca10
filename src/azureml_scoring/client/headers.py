"""The headers of a request to ``/score``."""

from __future__ import annotations

DEPLOYMENT_HEADER = "azureml-model-deployment"
"""Names a deployment: in a request the one to ask, in an answer the one that gave it."""


def is_header_value(text: str) -> bool:
    """True if a header can hold the text as it is."""
    return text.isascii() and text.isprintable() and text.strip() == text != ""


def request_headers(secret: str | None, deployment: str | None) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    if secret:
        headers["Authorization"] = f"Bearer {secret}"
    if deployment:
        headers[DEPLOYMENT_HEADER] = deployment
    return headers
