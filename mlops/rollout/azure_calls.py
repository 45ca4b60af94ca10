"""Calls azure-ai-ml: waits until transient errors are over, and raises EndpointError for others."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any, TypeVar

from azure.ai.ml import MLClient
from azure.ai.ml.exceptions import MlException
from azure.core.exceptions import AzureError

from mlops.endpoint import EndpointError, NotSignedIn
from mlops.rollout import azure_errors

log = logging.getLogger(__name__)
# Its warning is a page long; our error says what to do.
logging.getLogger("azure.identity").setLevel(logging.ERROR)
T = TypeVar("T")

FAILED_STATES = ("failed", "canceled")


class OperationFailed(EndpointError):
    """Azure accepted the request, but the operation failed."""


class NotThere(EndpointError):
    """The resource is missing, though what it belongs to exists."""


class PatientCalls:
    """Calls of Azure. ``patience_s``: how long a call may take. ``role``: the role that allows
    them."""

    def __init__(self, patience_s: float, role: str) -> None:
        self._patience_s = patience_s
        self._role = role

    def ask(self, what: str, call: Callable[[], T]) -> T:
        """Return what ``call`` returns, once throttling, conflicts and transient faults are over.
        ``what``: names the call in errors."""
        limit = time.monotonic() + self._patience_s
        while True:
            try:
                return call()
            except (AzureError, MlException) as error:
                pause = azure_errors.pause(error)
                if pause is None or time.monotonic() + pause > limit:
                    raise self._meaning(what, error) from error
                log.warning(
                    "Can't %s yet: %s; trying again in %.0f s.",
                    what,
                    azure_errors.reason(error),
                    pause,
                )
                time.sleep(pause)

    def _meaning(self, what: str, error: Exception) -> EndpointError:
        message = azure_errors.sentence(what, error, self._role)
        if azure_errors.missing(error):
            return NotThere(message)
        return NotSignedIn(message) if azure_errors.signed_out(error) else EndpointError(message)


class AzureCalls(PatientCalls):
    """Calls about one endpoint."""

    def __init__(
        self, ml: MLClient, endpoint: str, patience_s: float, role: str = azure_errors.ROLE
    ) -> None:
        super().__init__(patience_s, role)
        self._ml = ml
        self._endpoint = endpoint

    def finish(self, what: str, begin: Callable[[], Any]) -> None:
        """Start a long-running operation and wait until it ends. Raises EndpointError,
        OperationFailed."""

        def run() -> None:
            poller = begin()
            try:
                poller.wait(self._patience_s)
            except AzureError as error:
                if poller.status().lower() not in FAILED_STATES:
                    raise
                raise OperationFailed(azure_errors.sentence(what, error)) from error
            if not poller.done():
                raise EndpointError(
                    f"Azure has taken more than {self._patience_s:.0f} s to {what} and goes on; "
                    "see in Azure ML studio how it ends."
                )

        with redirect_stdout(sys.stderr):  # azure-ai-ml prints a dot each time it polls
            self.ask(what, run)

    def _meaning(self, what: str, error: Exception) -> EndpointError:
        cause = self._what_is_missing() if azure_errors.missing(error) else None
        return cause or super()._meaning(what, error)

    def _what_is_missing(self) -> EndpointError | None:
        """Find out by further calls, since the words of Azure's 404 vary."""
        workspace, group = self._ml.workspace_name, self._ml.resource_group_name
        if _missing(lambda: self._ml.workspaces.get(workspace)):
            return EndpointError(
                f"There is no workspace {workspace} in resource group {group} of subscription "
                f"{self._ml.subscription_id}; `az ml workspace list` shows those that you can see."
            )
        if _missing(lambda: self._ml.online_endpoints.get(self._endpoint)):
            return EndpointError(
                f"There is no endpoint {self._endpoint} in workspace {workspace}; "
                "create it by `az ml online-endpoint create -f FILE`."
            )
        return None


def _missing(get: Callable[[], Any]) -> bool:
    try:
        get()
    except AzureError as error:
        return azure_errors.missing(error)
    return False
