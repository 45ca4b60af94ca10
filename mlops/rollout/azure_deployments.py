"""The deployments of an online endpoint in Azure: their sources, creation, deletion and logs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from azure.ai.ml import MLClient, load_online_deployment

from mlops.endpoint import EndpointError, Source, State
from mlops.rollout.azure_calls import AzureCalls, NotThere, OperationFailed
from mlops.rollout.checkout import origin
from mlops.rollout.record import MAX_TAG_LENGTH

STATES = {
    "Creating": State.CREATING,
    "Updating": State.CREATING,
    "Succeeded": State.READY,
    "Scaling": State.READY,
    "Failed": State.FAILED,
    "Canceled": State.FAILED,
}
"""Azure's states. A deployment that is being deleted counts as gone."""

FILE_TAG, COMMIT_TAG = "rollout-file", "rollout-commit"
"""Tags of a deployment, for the next rollout's record."""

CONTAINERS = ("storage-initializer", "inference-server")
LOG_LINES = 100
REGISTERED = re.compile(
    r".*/workspaces/[^/]+/(?:models|codes|environments)/([^/]+)/versions/([^/]+)", re.IGNORECASE
)


class AzureDeployments:
    """``files`` and ``models``: as in AzureEndpoint. Every call may raise EndpointError."""

    def __init__(
        self,
        calls: AzureCalls,
        ml: MLClient,
        endpoint: str,
        files: Mapping[str, Path],
        models: Mapping[str, str],
    ) -> None:
        self._calls = calls
        self._ml = ml
        self._endpoint = endpoint
        self._files = files
        self._models = models
        self._failures: dict[str, str] = {}

    def states(self) -> Mapping[str, State]:
        deployments = self._calls.ask(
            f"list the deployments of {self._endpoint}",
            lambda: list(self._ml.online_deployments.list(self._endpoint)),
        )
        return {
            str(one.name): STATES[one.provisioning_state]
            for one in deployments
            if one.provisioning_state in STATES
        }

    def source(self, deployment: str) -> Source:
        one = self._get(deployment)
        code, tags = one.code_configuration.code if one.code_configuration else None, one.tags or {}
        return Source(
            model=_registered(one.model),
            code=_registered(code),
            environment=_registered(one.environment),
            file=tags.get(FILE_TAG, ""),
            commit=tags.get(COMMIT_TAG, ""),
        )

    def instances(self, deployment: str) -> int:
        """Return how many instances a deployment has now."""
        return int(self._get(deployment).instance_count or 0)

    def deploy(self, deployment: str, source: Source, at_least: int) -> None:
        """Create or update a deployment. ``source``: what to use in place of what its file names.
        ``at_least``: instances."""
        if deployment not in self._files:
            raise EndpointError(
                f"There is no file for {deployment}, only for {', '.join(self._files)}; name one "
                f"of those."
            )
        self._failures.pop(deployment, None)

        def begin() -> Any:
            file = self._files[deployment]
            values = {"name": deployment, "endpoint_name": self._endpoint}
            if deployment in self._models:
                values["model"] = self._models[deployment]
            one = load(load_online_deployment, file, **values, **_registered_parts(source))
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
                lambda: self._ml.online_deployments.begin_delete(deployment, self._endpoint),
            )

    def logs(self, deployment: str) -> str:
        texts = [self._failures[deployment]] if deployment in self._failures else []
        errors = []
        for container in CONTAINERS:
            try:
                texts.append(self._container_log(deployment, container))
            except EndpointError as error:  # a container that never started has none
                errors.append(error)
        if not texts:
            raise errors[0]
        return "\n".join(filter(None, texts))

    def _get(self, deployment: str) -> Any:
        return self._calls.ask(
            f"look up deployment {deployment}",
            lambda: self._ml.online_deployments.get(deployment, self._endpoint),
        )

    def _container_log(self, deployment: str, container: str) -> str:
        log: str = self._calls.ask(
            f"read the logs of {deployment}",
            lambda: self._ml.online_deployments.get_logs(
                deployment, self._endpoint, LOG_LINES, container_type=container
            ),
        )
        return log.strip()


def load(read: Callable[..., Any], file: Path, **values: str) -> Any:
    """Load a YAML file by azure-ai-ml's ``read``, with ``values`` in place of its own. Raises
    EndpointError."""
    try:
        return read(file, params_override=[{key: value} for key, value in values.items()])
    except Exception as error:  # azure-ai-ml raises a dozen kinds
        reason = " ".join(str(error).partition("Visit this link")[0].split())
        raise EndpointError(f"{file} can't be used: {reason}; correct the file.") from error


def _registered(asset: Any) -> str:
    """Return ``azureml:name:version`` for a version in the workspace or a registry, else ``""``."""
    text = asset if isinstance(asset, str) else ""
    if match := REGISTERED.fullmatch(text):
        return f"azureml:{match[1]}:{match[2]}"
    return text if text.startswith("azureml://registries/") else ""


def _registered_parts(source: Source) -> dict[str, str]:
    parts = {
        "model": source.model,
        "code_configuration.code": source.code,
        "environment": source.environment,
    }
    return {name: value for name, value in parts.items() if value}


def _origin_tags(file: Path) -> dict[str, str]:
    path, commit = origin(file)
    return {
        name: value
        for name, value in {FILE_TAG: path, COMMIT_TAG: commit}.items()
        if 0 < len(value) <= MAX_TAG_LENGTH
    }
