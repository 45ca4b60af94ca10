"""An online endpoint in Azure, through azure-ai-ml."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from azure.ai.ml import MLClient, load_online_deployment, load_online_endpoint
from azure.identity import DefaultAzureCredential
from azure.monitor.query import LogsQueryClient

from mlops.rollout import azure_autoscale
from mlops.rollout.azure_autoscale import Arm, AzureAutoscale
from mlops.rollout.azure_calls import AzureCalls, NotThere, OperationFailed
from mlops.rollout.azure_scoring import AzureScoring
from mlops.rollout.azure_traffic_log import AzureTrafficLog
from mlops.rollout.checkout import origin
from mlops.rollout.endpoint import Answer, EndpointError, Observation, Source, State, Status, Traffic
from mlops.rollout.record import LONGEST
from mlops.score_client import TIMEOUT_S

STATES = {
    "Creating": State.CREATING,
    "Updating": State.CREATING,
    "Succeeded": State.READY,
    "Scaling": State.READY,
    "Failed": State.FAILED,
    "Canceled": State.FAILED,
}
"""A deployment that is being deleted counts as gone."""

CHANGING_S = 5
"""Seconds between looks at an endpoint that is being changed."""

FILE_TAG, COMMIT_TAG = "rollout-file", "rollout-commit"
"""Of a deployment: what the next rollout is to know of it."""

CONTAINERS = ("storage-initializer", "inference-server")
LOG_LINES = 100
REGISTERED = re.compile(r".*/workspaces/[^/]+/(?:models|codes|environments)/([^/]+)/versions/([^/]+)", re.IGNORECASE)

log = logging.getLogger(__name__)

AUTOSCALE_PATIENCE_S = 300
"""A way back does not wait longer for Azure Monitor."""


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
    """The endpoint ``name``, as whoever is signed in. ``log_workspace``: the id of its Log Analytics workspace."""
    credential = DefaultAzureCredential()
    return AzureEndpoint(
        name,
        files,
        ml=MLClient(credential, subscription, resource_group, workspace, show_progress=False, enable_telemetry=False),
        queries=LogsQueryClient(credential),
        arm=azure_autoscale.resource_manager(credential),
        log_workspace=log_workspace,
        http=httpx.Client(timeout=TIMEOUT_S),
        models=models,
    )


class AzureEndpoint:
    """An Endpoint. ``files``: the YAML file of each deployment. ``models``: the version to deploy in place of a label
    that the file names, by deployment. ``patience_s``: how long one call may take."""

    def __init__(
        self,
        name: str,
        files: Mapping[str, Path],
        *,
        ml: MLClient,
        queries: LogsQueryClient,
        arm: Arm,
        log_workspace: str,
        http: httpx.Client,
        models: Mapping[str, str] | None = None,
        patience_s: float = 3600,
    ) -> None:
        self.name = name
        self._files = files
        self._models = models or {}
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
        self._failures: dict[str, str] = {}

    def create(self, file: Path) -> None:
        """Create or update the endpoint itself from its YAML file."""
        self._calls.finish(
            f"create endpoint {self.name}",
            lambda: self._ml.online_endpoints.begin_create_or_update(_load(load_online_endpoint, file, name=self.name)),
        )

    def deployments(self) -> Mapping[str, State]:
        found = self._calls.ask(
            f"list the deployments of {self.name}", lambda: list(self._ml.online_deployments.list(self.name))
        )
        return {str(one.name): STATES[one.provisioning_state] for one in found if one.provisioning_state in STATES}

    def status(self) -> Status:
        """Once a change that is under way has ended."""
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

    def set_traffic(self, traffic: Traffic) -> None:
        self.update(lambda status: replace(status, traffic=traffic))

    def source(self, deployment: str) -> Source:
        one = self._calls.ask(
            f"look up deployment {deployment}", lambda: self._ml.online_deployments.get(deployment, self.name)
        )
        code, tags = one.code_configuration.code if one.code_configuration else None, one.tags or {}
        return Source(
            model=_registered(one.model),
            code=_registered(code),
            environment=_registered(one.environment),
            file=tags.get(FILE_TAG, ""),
            commit=tags.get(COMMIT_TAG, ""),
        )

    def deploy(self, deployment: str, source: Source | None = None) -> None:
        """Where it has failed, ``logs`` begins with Azure's reason.

        It starts with as many instances as an autoscaled deployment has that takes traffic now, or more by its file.
        """
        if deployment not in self._files:
            raise EndpointError(
                f"There is no file for {deployment}, only for {', '.join(self._files)}; name one of those."
            )
        traffic = self.traffic()
        if deployment in traffic.live or deployment in traffic.mirror:
            raise EndpointError(f"Deployment {deployment} takes traffic; set its share to 0 before deploying it anew.")
        self._failures.pop(deployment, None)
        at_least = max((self._instances(live) for live in traffic.live if self._autoscale.of(live)), default=0)

        def begin() -> Any:
            file = self._files[deployment]
            values = {"name": deployment, "endpoint_name": self.name}
            if deployment in self._models:
                values["model"] = self._models[deployment]
            one = _load(load_online_deployment, file, **values, **_registered_parts(source or Source()))
            one.tags = {**(one.tags or {}), **_origin_tags(file)}
            one.instance_count = max(one.instance_count or 0, at_least) or None
            return self._ml.online_deployments.begin_create_or_update(one)

        try:
            self._calls.finish(f"deploy {deployment}", begin)
        except OperationFailed as failed:
            self._failures[deployment] = str(failed)

    def delete(self, deployment: str) -> None:
        with suppress(NotThere):
            self._calls.finish(
                f"delete deployment {deployment}",
                lambda: self._ml.online_deployments.begin_delete(deployment, self.name),
            )
        self.remove_autoscale(deployment)

    def copy_autoscale(self, old: str, new: str, *, floor: bool = False) -> None:
        if setting := self._autoscale.of(old):
            self._autoscale.give(new, setting, self._instances(old) if floor else 0)

    def remove_autoscale(self, deployment: str) -> None:
        self._autoscale.remove(deployment)

    def logs(self, deployment: str) -> str:
        """What Azure said when it failed, and the last lines of both its containers."""
        told = [self._failures[deployment]] if deployment in self._failures else []
        refused = []
        for container in CONTAINERS:
            try:
                told.append(self._container_log(deployment, container))
            except EndpointError as error:  # a container that never started has none
                refused.append(error)
        if not told:
            raise refused[0]
        return "\n".join(filter(None, told))

    def score(self, body: bytes, deployment: str | None = None) -> Answer:
        return self._scoring.score(body, deployment)

    def observations(self, since: float) -> Sequence[Observation]:
        return self._log.observations(since)

    def _get(self) -> Any:
        return self._calls.ask(f"look up endpoint {self.name}", lambda: self._ml.online_endpoints.get(self.name))

    def _instances(self, deployment: str) -> int:
        """How many it has now."""
        found = self._calls.ask(
            f"look up deployment {deployment}", lambda: self._ml.online_deployments.get(deployment, self.name)
        )
        return int(found.instance_count or 0)

    def _settled(self) -> Any:
        """The endpoint, once a change that is under way has ended: until then traffic and tags may disagree."""
        until = time.monotonic() + self._patience_s
        while (endpoint := self._get()).provisioning_state == "Updating" and time.monotonic() < until:
            log.warning("%s is being changed; waiting until that has ended.", self.name)
            time.sleep(CHANGING_S)
        return endpoint

    def _container_log(self, deployment: str, container: str) -> str:
        log: str = self._calls.ask(
            f"read the logs of {deployment}",
            lambda: self._ml.online_deployments.get_logs(deployment, self.name, LOG_LINES, container_type=container),
        )
        return log.strip()


def _load(load: Callable[..., Any], file: Path, **values: str) -> Any:
    try:
        return load(file, params_override=[{key: value} for key, value in values.items()])
    except Exception as error:  # azure-ai-ml raises a dozen kinds
        said = " ".join(str(error).partition("Visit this link")[0].split())
        raise EndpointError(f"{file} can't be used: {said}; correct the file.") from error


def _shares(percents: Mapping[str, int]) -> dict[str, int]:
    return {name: percent for name, percent in percents.items() if percent}


def _status(endpoint: Any) -> Status:
    return _plain(Status(Traffic(endpoint.traffic or {}, endpoint.mirror_traffic or {}), endpoint.tags or {}))


def _plain(status: Status) -> Status:
    traffic = Traffic(_shares(status.traffic.live), _shares(status.traffic.mirror))
    return Status(traffic, dict(status.tags))


def _registered(asset: Any) -> str:
    """``azureml:name:version`` where it is a version in the workspace or a registry, else nothing."""
    text = asset if isinstance(asset, str) else ""
    if found := REGISTERED.fullmatch(text):
        return f"azureml:{found[1]}:{found[2]}"
    return text if text.startswith("azureml://registries/") else ""


def _registered_parts(source: Source) -> dict[str, str]:
    parts = {"model": source.model, "code_configuration.code": source.code, "environment": source.environment}
    return {name: value for name, value in parts.items() if value}


def _origin_tags(file: Path) -> dict[str, str]:
    path, commit = origin(file)
    return {name: value for name, value in {FILE_TAG: path, COMMIT_TAG: commit}.items() if 0 < len(value) <= LONGEST}
