"""Explains Azure's errors: which are transient, and for the others one sentence with what to do
next."""

from __future__ import annotations

from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

PAUSE_S = 15.0
"""Time between attempts, if Azure does not say how long."""

ROLE = "AzureML Data Scientist on the workspace"
"""The role that allows most calls."""

BUSY_STATUSES = {409: "another operation is in progress", 429: "Azure throttles the requests"}


def pause(error: Exception) -> float | None:
    """Return the seconds to wait before another attempt, or None if that would not help.

    409 means that another operation on the endpoint is in progress.
    """
    if isinstance(error, ServiceResponseError):
        return PAUSE_S
    status = _status(error)
    if isinstance(error, HttpResponseError) and (
        status in BUSY_STATUSES or (status >= 500 and status != 501)
    ):
        return _retry_after(error.response)
    return None


def missing(error: Exception) -> bool:
    return _status(error) == 404


def signed_out(error: Exception) -> bool:
    return isinstance(error, ClientAuthenticationError) or _status(error) == 401


def sentence(what: str, error: Exception, role: str = ROLE) -> str:
    """Return the error as one sentence. ``what``: the call, such as "delete deployment blue".
    ``role``: the role that allows it."""
    status, message = _status(error), reason(error)
    if signed_out(error):
        message, advice = (
            "nobody is signed in to Azure",
            "run `az login`, or set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET",
        )
    elif status == 403:
        advice = f"ask for the role {role}"
    elif isinstance(error, ServiceRequestError):
        message, advice = f"Azure can't be reached ({message})", "check the network and the proxy"
    elif pause(error) is not None:
        message, advice = (
            f"{BUSY_STATUSES.get(status, message)}, still after waiting",
            "look in Azure ML studio and try again later",
        )
    elif "quota" in message.lower():
        advice = "take a smaller instance_type or fewer instances, or ask for more quota"
    elif "unique within a region" in message:
        message, advice = (
            "another endpoint in this region has that name",
            "choose a name of your own",
        )
    else:
        advice = "correct that and try again"
    return f"Can't {what}: {message}; {advice}."


def reason(error: Exception) -> str:
    """Return Azure's own words on one line, without the full stop."""
    body = error.error if isinstance(error, HttpResponseError) else None
    if not body or not body.message:
        return (
            _line(error.message if isinstance(error, AzureError) else str(error))
            or type(error).__name__
        )
    texts = [
        _line(text)
        for text in (body.message, *(detail.message for detail in body.details or []))
        if text
    ]
    return ": ".join(texts) + (f" ({body.code})" if body.code else "")


def _line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")


def _status(error: Exception) -> int:
    return (error.status_code or 0) if isinstance(error, HttpResponseError) else 0


def _retry_after(response: Any) -> float:
    seconds = response.headers.get("Retry-After", "") if response else ""
    return float(seconds) if seconds.replace(".", "", 1).isdigit() else PAUSE_S
