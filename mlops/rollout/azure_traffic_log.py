"""Reads the requests of clients from the table that an endpoint's diagnostic setting fills in Log
Analytics. The query counts them, so there may be any number."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from azure.monitor.query import LogsQueryClient, LogsQueryResult

from mlops.endpoint import EndpointError
from mlops.rollout.azure_calls import AzureCalls
from mlops.rollout.own_requests import OWN_PREFIX
from mlops.traffic_blocks import BLOCK_S, LATENCY_RATIO, TrafficBlock

QUERY = f"""AmlOnlineEndpointTrafficLog
| where AzureMLWorkspaceName =~ "{{workspace}}"
| where EndpointName =~ "{{endpoint}}"
| where isnotempty(DeploymentName)
| where not(XMSClientRequestId startswith "{OWN_PREFIX}")
| extend Hidden = ResponseCode == "424"
| extend Status = coalesce(iff(Hidden, toint(ModelStatusCode), toint(ResponseCode)), int(0))
| extend Outcome = iff(
    Status >= 500 or Status in (0, 429) or (not(Hidden) and Status == 408),
    "failed",
    iff(Status >= 400, "refused", "answered"))
| extend Milliseconds = max_of(coalesce(todouble(TotalDurationMs), 0.0), 1.0)
| extend Latency = iff(
    Outcome == "answered", toint(round(log(Milliseconds) / log({LATENCY_RATIO}))), int(0))
| summarize Requests = count()
    by Block = bin(TimeGenerated, {BLOCK_S}s), DeploymentName, Outcome, Latency
| summarize Latencies = make_list(pack_array(Latency, Requests), 10000)
    by Block, DeploymentName, Outcome"""
"""Rows without a deployment are requests that were refused before one was chosen. A block has three
rows for each deployment, so that days of any traffic are far below the limit of 500,000."""


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

    def blocks(self, since: float) -> Sequence[TrafficBlock]:
        """Return the clients' requests since ``since``. Azure needs minutes to log one. Raises
        EndpointError, also if the answer is not whole."""
        span = (datetime.fromtimestamp(since, UTC), datetime.now(UTC))
        answer = self._calls.ask(
            self._what,
            lambda: self._queries.query_workspace(self._log_workspace, self._query, timespan=span),
        )
        if not isinstance(answer, LogsQueryResult):
            raise EndpointError(
                f"Can't {self._what}: it is too long for one answer; ask for a shorter time."
            )
        return blocks_of_rows(answer.tables[0].rows)


def blocks_of_rows(rows: Iterable[Iterable[Any]]) -> list[TrafficBlock]:
    """Return the blocks in the query's answer. Azure's client gives dynamic values as text."""
    outcomes = defaultdict[tuple[float, str], dict[str, list[list[int]]]](dict)
    for at, deployment, outcome, latencies in rows:
        pairs = json.loads(latencies) if isinstance(latencies, str) else latencies
        outcomes[at.timestamp(), deployment][outcome] = pairs

    def count(pairs: list[list[int]]) -> int:
        return sum(requests for _, requests in pairs)

    return [
        TrafficBlock(
            at,
            deployment,
            requests=sum(map(count, found.values())),
            failed=count(found.get("failed", [])),
            refused=count(found.get("refused", [])),
            latencies=tuple(sorted((place, n) for place, n in found.get("answered", []))),
        )
        for (at, deployment), found in sorted(outcomes.items())
    ]
