"""Reads an autoscaler and its Deployment from manifests, and changes single settings of them."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from azureml_scoring import settings
from azureml_scoring.errors import StartupError
from azureml_scoring.models.files import bounded_yaml
from azureml_scoring.settings import Settings
from mlops.hpa.controller import Autoscaler
from mlops.hpa.quantity import parse
from mlops.hpa.scaler import autoscaler

RENDER_ADVICE = "if it is a patch, give what `kubectl kustomize` renders"
SCALERS = ("HorizontalPodAutoscaler", "ScaledObject")
KubernetesObject = dict[str, Any]


@dataclass(frozen=True)
class Setup:
    """What is simulated. ``cpu`` in cores, ``memory`` in bytes: what a pod requests. ``cores``: the
    limit of its CPU. ``configured``: the settings of the service."""

    name: str
    autoscaler: Autoscaler
    cpu: Decimal
    memory: Decimal
    cores: Decimal
    configured: Settings


@dataclass(frozen=True)
class Manifests:
    """An autoscaler and the Deployment that it names, as they were read."""

    name: str
    scaler: KubernetesObject
    deployment: KubernetesObject

    def setup(self) -> Setup:
        """Return what the manifests say. Raises StartupError."""
        try:
            return self._setup()
        except (KeyError, TypeError, AttributeError) as error:
            raise StartupError(
                f"{self.name} is not a valid manifest ({type(error).__name__}: {error}); "
                f"{RENDER_ADVICE}."
            ) from None

    def _setup(self) -> Setup:
        (container, *others) = _pod_spec(self.deployment)["containers"]
        if others:
            raise StartupError(
                f"{self.name}: pods of several containers are not simulated; give one container."
            )
        cpu, memory, cores = (
            _resource(self.name, container, *where)
            for where in (("requests", "cpu"), ("requests", "memory"), ("limits", "cpu"))
        )
        variables = {
            variable["name"]: variable["value"]
            for variable in container.get("env", ())
            if "value" in variable
        }
        return Setup(
            self.name, autoscaler(self.scaler), cpu, memory, cores, settings.load(variables)
        )

    def but(self, changes: str) -> Manifests:
        """Return the manifests with settings changed, as by ``maxReplicas=20,cpu=50``. Raises
        StartupError."""
        changed = Manifests(changes, copy.deepcopy(self.scaler), copy.deepcopy(self.deployment))
        for change in changes.split(","):
            key, is_one, text = change.partition("=")
            try:
                value = bounded_yaml.load(text)
            except yaml.YAMLError:
                is_one = ""
            if not is_one:
                raise StartupError(
                    f"{change} is not a valid KEY=VALUE, such as maxReplicas=20; correct it."
                )
            changed._put(key, value)
        return changed

    def _put(self, key: str, value: object) -> None:
        if key in ("requests.cpu", "requests.memory", "limits.cpu"):
            kind, name = key.split(".")
            resources = _pod_spec(self.deployment)["containers"][0].setdefault("resources", {})
            resources.setdefault(kind, {})[name] = value
            return
        for metric in self.scaler["spec"].get("metrics", ()):
            if metric.get("type") == "Resource" and metric["resource"]["name"] == key:
                metric["resource"]["target"]["averageUtilization"] = value
                return
        *parents, last = (int(part) if part.isdecimal() else part for part in key.split("."))
        place: Any = self.scaler["spec"]
        try:
            for part in parents:
                place = place[part]
            place[last]  # a misspelt key must not pass unnoticed
        except (KeyError, IndexError, TypeError):
            raise StartupError(
                f"{key} is not in the manifest; name a key below its spec as maxReplicas or "
                "behavior.scaleDown.stabilizationWindowSeconds, or cpu, memory, requests.cpu, "
                "requests.memory, limits.cpu."
            ) from None
        place[last] = value


def read(paths: Iterable[Path]) -> list[Manifests]:
    """Read the autoscalers in ``paths``, each with its Deployment from one of ``paths`` or from the
    same folder. Raises StartupError."""
    documents: list[tuple[Path, KubernetesObject]] = [
        (path, manifest) for path in paths for manifest in _documents(path)
    ]
    scalers = [(path, manifest) for path, manifest in documents if manifest["kind"] in SCALERS]
    if not scalers:
        raise StartupError(
            "There is no HorizontalPodAutoscaler in these manifests; name its file or folder."
        )
    return [
        Manifests(f"{path}", scaler, _deployment(scaler, path, documents))
        for path, scaler in scalers
    ]


def _resource(name: str, container: Mapping[str, Any], kind: str, resource: str) -> Decimal:
    try:
        quantity = parse(container["resources"][kind][resource])
    except (KeyError, TypeError):
        raise StartupError(
            f"{name}: the Deployment has no resources.{kind}.{resource}; write it."
        ) from None
    if quantity <= 0:
        raise StartupError(f"{name}: resources.{kind}.{resource} is {quantity}; write more than 0.")
    return quantity


def _pod_spec(deployment: KubernetesObject) -> dict[str, Any]:
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return spec


def _deployment(
    scaler: KubernetesObject, path: Path, documents: Sequence[tuple[Path, KubernetesObject]]
) -> KubernetesObject:
    """Find the Deployment that ``scaler`` names, first in its own file or folder."""
    try:
        wanted = scaler["spec"]["scaleTargetRef"]["name"]
    except (KeyError, TypeError):
        raise StartupError(f"{path} names nothing to scale; {RENDER_ADVICE}.") from None
    beside = (
        [(path.parent, manifest) for manifest in _documents(path.parent)] if path.is_file() else []
    )
    for _, manifest in sorted([*beside, *documents], key=lambda one: one[0] != path):
        if (
            manifest["kind"] == "Deployment"
            and (manifest.get("metadata") or {}).get("name") == wanted
        ):
            return manifest
    raise StartupError(
        f"{path}: its Deployment {wanted} is not in these manifests; name its file or folder too."
    )


def _documents(path: Path) -> list[KubernetesObject]:
    """Return all manifests of a file, of a folder's files, or of standard input, which is ``-``."""
    if str(path) == "-":
        return _loaded(path, sys.stdin.read())
    files = sorted(path.glob("*.y*ml")) if path.is_dir() else [path]
    try:
        return [manifest for file in files for manifest in _loaded(file, file.read_text())]
    except (OSError, UnicodeDecodeError):
        raise StartupError(f"{path} can't be read as text; name manifests in YAML.") from None


def _loaded(path: Path, text: str) -> list[KubernetesObject]:
    try:
        documents = bounded_yaml.load_all(text)
    except yaml.YAMLError as error:
        why = getattr(error, "problem", None) or error
        raise StartupError(f"{path} is not valid YAML ({why}); correct it.") from None
    return [document for document in documents if isinstance(document, dict) and "kind" in document]
