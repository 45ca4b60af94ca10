"""An online endpoint in Azure, through azure-ai-ml."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from azure.ai.ml import MLClient, load_online_endpoint
from azure.monitor.query import LogsQueryClient

from azureml_scoring.client.async_client import TIMEOUT_S
from mlops.endpoint import (
    EndpointAnswer,
    EndpointError,
    Source,
    State,
    Status,
    Traffic,
)
from mlops.rollout import azure_autoscale
from mlops.rollout.azure_autoscale import AzureAutoscale
from mlops.rollout.azure_calls import AzureCalls
from mlops.rollout.azure_deployments import AzureDeployments, load
from mlops.rollout.azure_scoring import AzureScoring
from mlops.rollout.azure_sign_in import sign_in
from mlops.rollout.azure_traffic_log import AzureTrafficLog
from mlops.rollout.resource_manager import ResourceManager
from mlops.traffic_blocks import TrafficBlock

POLL_S = 5
"""Time between looks at an endpoint that is being changed."""

AUTOSCALE_PATIENCE_S = 300
"""A way back does not wait longer than this for Azure Monitor."""

log = logging.getLogger(__name__)


def connect(
    name: str,
    files: Mapping[str, Path],
    *,
    subscription: str,
    resource_group: str,
    workspace: str,
    log_workspace: str,
    models: Mapping[str, str] | None = None,
) -> AzureEndpoint:
    """Connect to the endpoint ``name`` by ``sign_in``. ``log_workspace``: the id of
    its Log Analytics workspace."""
    credential = sign_in()
    return AzureEndpoint(
        name,
        files,
        ml=MLClient(
            credential,
            subscription,
            resource_group,
            workspace,
            show_progress=False,
            enable_telemetry=False,
        ),
        queries=LogsQueryClient(credential),
        arm=ResourceManager(credential),
        log_workspace=log_workspace,
        http=httpx.Client(timeout=TIMEOUT_S),
        models=models,
    )


class AzureEndpoint:
    """An Endpoint in Azure. ``files``: the YAML file of each deployment. ``models``: by deployment,
    the version to deploy in place of a label in its file. ``patience_s``: how long a call may
    take."""

    def __init__(
        self,
        name: str,
        files: Mapping[str, Path],
        *,
        ml: MLClient,
        queries: LogsQueryClient,
        arm: ResourceManager,
        log_workspace: str,
        http: httpx.Client,
        models: Mapping[str, str] | None = None,
        patience_s: float = 3600,
    ) -> None:
        self.name = name
        self._ml = ml
        self._patience_s = patience_s
        self._calls = AzureCalls(ml, name, patience_s)
        self._scoring = AzureScoring(self._calls, ml, http, name)
        self._log = AzureTrafficLog(
            self._calls, queries, log_workspace, workspace=str(ml.workspace_name), endpoint=name
        )
        self._autoscale = AzureAutoscale(
            AzureCalls(ml, name, min(patience_s, AUTOSCALE_PATIENCE_S), azure_autoscale.ROLE),
            arm,
            subscription=str(ml.subscription_id),
            resource_group=str(ml.resource_group_name),
            workspace=str(ml.workspace_name),
            endpoint=name,
        )
        self._deployments = AzureDeployments(self._calls, ml, name, files, models or {})

    def create(self, file: Path) -> None:
        """Create or update the endpoint itself from its YAML file."""
        self._calls.finish(
            f"create endpoint {self.name}",
            lambda: self._ml.online_endpoints.begin_create_or_update(
                load(load_online_endpoint, file, name=self.name)
            ),
        )

    def deployments(self) -> Mapping[str, State]:
        return self._deployments.states()

    def status(self) -> Status:
        """Return the status, once a change that is under way has ended."""
        return _status(self._settled())

    def update(self, change: Callable[[Status], Status]) -> None:
        def begin() -> Any:
            endpoint = self._settled()
            wanted = _plain(change(_status(endpoint)))
            endpoint.traffic, endpoint.mirror_traffic = wanted.traffic.live, wanted.traffic.mirror
            endpoint.tags = wanted.tags
            return self._ml.online_endpoints.begin_create_or_update(endpoint)

        status = self.status()
        if _plain(change(status)) != status:
            self._calls.finish(f"set the traffic of {self.name}", begin)

    def traffic(self) -> Traffic:
        return _status(self._get()).traffic

    def source(self, deployment: str) -> Source:
        return self._deployments.source(deployment)

    def deploy(self, deployment: str, source: Source | None = None) -> None:
        """Create or update a deployment. If it fails, ``logs`` begins with Azure's reason.

        It starts with at least as many instances as an autoscaled deployment with traffic has now.
        """
        traffic = self.traffic()
        if deployment in traffic.live or deployment in traffic.mirror:
            raise EndpointError(
                f"Deployment {deployment} takes traffic; set its share to 0 before deploying it "
                f"anew."
            )
        scaled = (live for live in traffic.live if self._autoscale.of(live))
        at_least = max(map(self._deployments.instances, scaled), default=0)
        self._deployments.deploy(deployment, source or Source(), at_least)

    def delete(self, deployment: str) -> None:
        self._deployments.delete(deployment)
        self.remove_autoscale(deployment)

    def copy_autoscale(self, old: str, new: str, *, floor: bool = False) -> None:
        if setting := self._autoscale.of(old):
            self._autoscale.give(new, setting, self._deployments.instances(old) if floor else 0)

    def remove_autoscale(self, deployment: str) -> None:
        self._autoscale.remove(deployment)

    def logs(self, deployment: str) -> str:
        """Return Azure's reason if it failed, and the last lines of both its containers."""
        return self._deployments.logs(deployment)

    def score(self, body: bytes, deployment: str | None = None) -> EndpointAnswer:
        return self._scoring.score(body, deployment)

    def blocks(self, since: float) -> Sequence[TrafficBlock]:
        return self._log.blocks(since)

    def _get(self) -> Any:
        return self._calls.ask(
            f"look up endpoint {self.name}", lambda: self._ml.online_endpoints.get(self.name)
        )

    def _settled(self) -> Any:
        """Return the endpoint, once a change that is under way has ended: until then traffic and
        tags may disagree."""
        until = time.monotonic() + self._patience_s
        while (
            endpoint := self._get()
        ).provisioning_state == "Updating" and time.monotonic() < until:
            log.warning("%s is being changed; waiting until that has ended.", self.name)
            time.sleep(POLL_S)
        return endpoint


def _status(endpoint: Any) -> Status:
    return _plain(
        Status(Traffic(endpoint.traffic or {}, endpoint.mirror_traffic or {}), endpoint.tags or {})
    )


def _plain(status: Status) -> Status:
    return Status(status.traffic.without_zeros(), dict(status.tags))
