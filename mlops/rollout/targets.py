"""Finds what a rollout is about, from the YAML files and the endpoint, before anything is
changed."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models.files import bounded_yaml, mlflow_folder
from azureml_scoring.models.files.manifest import FILE_NAME, Manifest
from mlops.endpoint import Endpoint, EndpointError, Traffic
from mlops.rollout.model_reference import Models, Registered
from mlops.rollout.questions import Questions, table
from mlops.rollout.record import Record, RolloutPhase


@dataclass(frozen=True)
class Workspace:
    """An Azure ML workspace. ``log``: the id of the Log Analytics workspace that receives the
    endpoint's traffic log."""

    subscription: str
    resource_group: str
    name: str
    log: str


def connector(
    workspace: Workspace,
    endpoint: str,
    files: dict[str, Path],
    models: dict[str, str] | None = None,
) -> Callable[[], Endpoint]:
    """Return a function that connects to the endpoint, from any process. ``models``: the version to
    deploy if a deployment's file names a label."""
    return functools.partial(_connect, workspace, endpoint, files, models)


def _connect(
    workspace: Workspace, endpoint: str, files: dict[str, Path], models: dict[str, str] | None
) -> Endpoint:
    from mlops.rollout import azure_endpoint

    return azure_endpoint.connect(
        endpoint,
        files,
        subscription=workspace.subscription,
        resource_group=workspace.resource_group,
        workspace=workspace.name,
        log_workspace=workspace.log,
        models=models,
    )


def models(workspace: Workspace, endpoint: str) -> Models:
    """Return the workspace's registered models. ``endpoint``: the one that will serve them."""
    from mlops.rollout import azure_models

    return azure_models.connect(
        endpoint,
        subscription=workspace.subscription,
        resource_group=workspace.resource_group,
        workspace=workspace.name,
    )


def described(file: Path) -> dict[str, Any]:
    """Read the file of a managed deployment. Raises StartupError if it is another file, or lacks
    its names."""
    try:
        document = bounded_yaml.load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise StartupError(
            f"{file} can't be read ({type(error).__name__}); `mlops check {file}` says more."
        ) from None
    if not isinstance(document, dict) or not all(
        isinstance(document.get(k), str) for k in ("name", "endpoint_name")
    ):
        raise StartupError(f"{file} is not a deployment; it must have a name and an endpoint_name.")
    if document.get("type") == "kubernetes":
        raise StartupError(
            f"{file} deploys to Kubernetes, where no traffic is logged or mirrored, so a rollout "
            "can't be judged; deploy it and direct the traffic by "
            "`az ml online-endpoint update --traffic`."
        )
    return document


def old(traffic: Traffic, new: str, last: Record | None) -> str:
    """Return the deployment that ``new`` replaces. ``last``: the record, if it is that of this
    folder's rollout; if that was cut off, ``new`` may have all traffic by now. Raises
    EndpointError."""
    if last and last.phase is RolloutPhase.ROLLING and last.new == new:
        return last.old
    return serving(traffic, new)


def serving(traffic: Traffic, other_than: str) -> str:
    """Return the deployment that has all traffic, or shares it with ``other_than``. Raises
    EndpointError."""
    names = [name for name in traffic.without_zeros().live if name != other_than]
    if len(names) == 1:
        return names[0]
    if traffic.live.get(other_than):
        raise EndpointError(f"{other_than} has all traffic already; there is nothing to roll out.")
    if not names:
        raise EndpointError(
            "No deployment has traffic; give one all of it first, with `az ml online-endpoint "
            "update`."
        )
    raise EndpointError(
        f"{' and '.join(names)} share the traffic; give one of them all of it first."
    )


def questions(folder: Path | None, sample: Path | None) -> Questions:
    """Return the questions for the model in ``folder``. Without ``sample`` its golden rows are
    compared. Raises StartupError."""
    packaged = Manifest.read(folder) if folder and (folder / FILE_NAME).is_file() else None
    features = packaged.contract.features if packaged else _signed(folder)
    rows = table(sample, features) if sample else Questions()
    return Questions.of(packaged, rows) if packaged else rows


def _signed(folder: Path | None) -> Sequence[Feature]:
    if folder is None or not (folder / mlflow_folder.FILE_NAME).is_file():
        return ()
    return mlflow_folder.MlflowModel.read(folder).features or ()


def key(file: Path, questions: Questions, model: Registered | None = None) -> str:
    """Return a key that is the same for the same deployment of the same model. ``model``: what a
    label in the file means now."""
    content = file.read_bytes() + repr(questions).encode() + (str(model).encode() if model else b"")
    return hashlib.sha256(content).hexdigest()
