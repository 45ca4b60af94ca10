"""Reads the requests of clients from the table that an endpoint's diagnostic setting fills in Log
Analytics."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from azure.monitor.query import LogsQueryClient, LogsQueryResult

from mlops.endpoint import EndpointError, Observation
from mlops.rollout.azure_calls import AzureCalls

QUERY = """AmlOnlineEndpointTrafficLog
| where AzureMLWorkspaceName =~ '{workspace}'
| where EndpointName =~ '{endpoint}'
| where isnotempty(DeploymentName)
| project TimeGenerated, DeploymentName, ResponseCode, ModelStatusCode, TotalDurationMs"""
"""Rows without a deployment are requests that were refused before one was chosen."""


class AzureTrafficLog:
    """The traffic log of one endpoint. ``log_workspace``: the id of the Log Analytics workspace, a
    GUID."""

    def __init__(
        self,
        calls: AzureCalls,
        queries: LogsQueryClient,
        log_workspace: str,
        *,
        workspace: str,
        endpoint: str,
    ) -> None:
        self._calls = calls
        self._queries = queries
        self._log_workspace = log_workspace
        self._query = QUERY.format(workspace=workspace, endpoint=endpoint)
        self._what = f"read the traffic log of {endpoint}"

    def observations(self, since: float) -> Sequence[Observation]:
        """Return the requests since ``since``. Azure needs minutes to log one. Raises
        EndpointError, also if there are too many."""
        span = (datetime.fromtimestamp(since, UTC), datetime.now(UTC))
        answer = self._calls.ask(
            self._what,
            lambda: self._queries.query_workspace(self._log_workspace, self._query, timespan=span),
        )
        if not isinstance(answer, LogsQueryResult):
            raise EndpointError(
                f"Can't {self._what}: it is too long for one answer; ask for a shorter time."
            )
        return [
            Observation(
                at.timestamp(), deployment, _status(response, model), float(latency_ms or 0)
            )
            for at, deployment, response, model, latency_ms in answer.tables[0].rows
        ]


def _status(response: object, model: object) -> int:
    """Return the model's status. The log holds both as text, empty if there was none."""
    ours, models = (int(str(code)) if str(code).isdigit() else 0 for code in (response, model))
    return models if ours == 424 else ours
