"""Reads what scales a Deployment, and the Deployment, from their manifests; changes single settings of them."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

import settings
from errors import StartupError
from mlops.hpa.behaviour import DOWN, UP, Behaviour, Policy, Rules
from mlops.hpa.controller import Autoscaler
from mlops.hpa.quantity import parse
from mlops.hpa.replicas import Tolerance
from settings import Settings

SCALERS = ("HorizontalPodAutoscaler", "ScaledObject")
LONGEST_PERIOD, LONGEST_WINDOW = 1800, 3600
"""Seconds that the API allows."""

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Setup:
    """``cpu`` in cores, ``memory`` in bytes: what a pod requests; ``cores``: its limit."""

    name: str
    autoscaler: Autoscaler
    cpu: Decimal
    memory: Decimal
    cores: Decimal
    configured: Settings


@dataclass(frozen=True)
class Manifests:
    """A scaler with the Deployment that it names, as they were read."""

    name: str
    scaler: Manifest
    deployment: Manifest

    def setup(self) -> Setup:
        """Raises StartupError."""
        (container, *others) = _pod_spec(self.deployment)["containers"]
        if others:
            raise StartupError(f"{self.name}: pods of several containers are not simulated; give one container.")
        cpu, memory, cores = (
            _resource(self.name, container, *where)
            for where in (("requests", "cpu"), ("requests", "memory"), ("limits", "cpu"))
        )
        variables = {each["name"]: each["value"] for each in container.get("env", ()) if "value" in each}
        return Setup(self.name, autoscaler(self.scaler), cpu, memory, cores, settings.load(variables))

    def but(self, changes: str) -> Manifests:
        """With settings changed: ``maxReplicas=20,cpu=50``. Raises StartupError."""
        changed = Manifests(changes, copy.deepcopy(self.scaler), copy.deepcopy(self.deployment))
        for change in changes.split(","):
            key, is_one, value = change.partition("=")
            if not is_one:
                raise StartupError(f"{change} is no KEY=VALUE, such as maxReplicas=20; correct it.")
            changed._put(key, yaml.safe_load(value))
        return changed

    def _put(self, key: str, value: object) -> None:
        if key in ("requests.cpu", "requests.memory", "limits.cpu"):
            kind, name = key.split(".")
            _pod_spec(self.deployment)["containers"][0]["resources"][kind][name] = value
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
            place[last]  # only what is there is changed: a misspelt key would do nothing
        except (KeyError, IndexError, TypeError):
            raise StartupError(
                f"{key} is not in the manifest; name a key below its spec as maxReplicas or "
                "behavior.scaleDown.stabilizationWindowSeconds, or cpu, memory, requests.cpu, requests.memory, limits.cpu."
            ) from None
        place[last] = value


def read(paths: Iterable[Path]) -> list[Manifests]:
    """The scalers in ``paths``, each with its Deployment from any of them, or from beside it. Raises StartupError."""
    found: list[tuple[Path, Manifest]] = [(path, manifest) for path in paths for manifest in _documents(path)]
    scalers = [(path, manifest) for path, manifest in found if manifest["kind"] in SCALERS]
    if not scalers:
        raise StartupError("There is no HorizontalPodAutoscaler in what was given; name its file or folder.")
    return [
        Manifests(f"{path}", scaler, _deployment(scaler, path, [manifest for _, manifest in found]))
        for path, scaler in scalers
    ]


def autoscaler(manifest: Manifest) -> Autoscaler:
    """Raises StartupError where the API server would refuse it, or nothing here computes it."""
    spec = manifest["spec"]
    if manifest["kind"] == "ScaledObject":
        return _of_keda(spec)
    low, high = spec.get("minReplicas", 1), spec.get("maxReplicas")
    utilisations = {}
    for metric in spec.get("metrics", ()):
        target = metric.get("resource", {}).get("target", {})
        if metric.get("type") != "Resource" or target.get("type") != "Utilization":
            raise StartupError("Only Resource metrics with a Utilization are simulated; remove the other metrics.")
        utilisations[metric["resource"]["name"]] = _count("averageUtilization", target.get("averageUtilization"))
    behaviour, tolerance = _behaviour(spec.get("behavior"))
    if not utilisations:
        raise StartupError("The HorizontalPodAutoscaler has no metrics; write at least one.")
    return _bounded(low, high, utilisations=utilisations, behaviour=behaviour, tolerance=tolerance)


def _of_keda(spec: Mapping[str, Any]) -> Autoscaler:
    try:
        (trigger,) = spec["triggers"]
        target = float(trigger["metadata"]["threshold"])
    except (KeyError, ValueError):
        raise StartupError("Only a ScaledObject with one trigger and its threshold is simulated; give one.") from None
    config = spec.get("advanced", {}).get("horizontalPodAutoscalerConfig", {})
    behaviour, tolerance = _behaviour(config.get("behavior"))
    low, high = spec.get("minReplicaCount", 0), spec.get("maxReplicaCount", 100)
    return _bounded(low, high, in_flight=target, behaviour=behaviour, tolerance=tolerance)


def _bounded(low: object, high: object, **others: Any) -> Autoscaler:
    least, most = _count("The least replicas", low), _count("The most replicas", high)
    if least > most:
        raise StartupError(f"The least replicas, {least}, are more than the most, {most}; correct one of them.")
    return Autoscaler(low=least, high=most, **others)


def _behaviour(given: Mapping[str, Any] | None) -> tuple[Behaviour | None, Tolerance]:
    if given is None:
        return None, Tolerance()
    up, down = given.get("scaleUp") or {}, given.get("scaleDown") or {}
    usual = Tolerance()
    tolerance = Tolerance(float(parse(down.get("tolerance", usual.down))), float(parse(up.get("tolerance", usual.up))))
    return Behaviour(_rules(up, UP), _rules(down, DOWN)), tolerance


def _rules(given: Mapping[str, Any], usual: Rules) -> Rules:
    policies = tuple(
        Policy(
            policy["type"],
            _count("A policy's value", policy["value"]),
            _count("A policy's periodSeconds", policy["periodSeconds"], most=LONGEST_PERIOD),
        )
        for policy in given.get("policies") or ()
    )
    window = given.get("stabilizationWindowSeconds", usual.window)
    if not 0 <= window <= LONGEST_WINDOW:
        raise StartupError(f"stabilizationWindowSeconds is {window}; write 0 to {LONGEST_WINDOW}.")
    return Rules(policies or usual.policies, window, given.get("selectPolicy", usual.select))


def _count(what: str, given: object, *, most: int = sys.maxsize) -> int:
    if not isinstance(given, int) or not 1 <= given <= most:
        upto = "" if most == sys.maxsize else f" to {most}"
        raise StartupError(f"{what} is {given}; write a whole number from 1{upto}.")
    return given


def _resource(name: str, container: Mapping[str, Any], kind: str, resource: str) -> Decimal:
    try:
        return parse(container["resources"][kind][resource])
    except (KeyError, TypeError):
        raise StartupError(f"{name}: the Deployment has no resources.{kind}.{resource}; write it.") from None


def _pod_spec(deployment: Manifest) -> dict[str, Any]:
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return spec


def _deployment(scaler: Manifest, path: Path, given: Iterable[Manifest]) -> Manifest:
    wanted = scaler["spec"]["scaleTargetRef"]["name"]
    beside = _documents(path.parent) if path.is_file() else ()
    for manifest in (*given, *beside):
        if manifest["kind"] == "Deployment" and manifest["metadata"]["name"] == wanted:
            return manifest
    raise StartupError(f"{path}: its Deployment {wanted} is not in what was given; name its file or folder too.")


def _documents(path: Path) -> list[Manifest]:
    """All manifests of a file, of a folder's files, or of standard input, which is ``-``."""
    if str(path) == "-":
        return _loaded(path, sys.stdin.read())
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    return [manifest for file in files for manifest in _loaded(file, file.read_text())]


def _loaded(path: Path, text: str) -> list[Manifest]:
    try:
        documents = list(yaml.safe_load_all(text))
    except yaml.YAMLError:
        raise StartupError(f"{path} is no YAML; correct it.") from None
    return [document for document in documents if isinstance(document, dict) and "kind" in document]
