"""Reads the autoscaler's settings from a HorizontalPodAutoscaler, or from KEDA's ScaledObject."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any

from azureml_scoring.errors import StartupError
from mlops.hpa.behaviour import DOWN, UP, Behaviour, Policy, ScalingRules
from mlops.hpa.controller import Autoscaler
from mlops.hpa.quantity import parse
from mlops.hpa.replicas import USUAL, Tolerance

MAX_PERIOD_S, MAX_WINDOW_S = 1800, 3600
"""The API's limits."""


def autoscaler(manifest: Mapping[str, Any]) -> Autoscaler:
    """Read an autoscaler. Raises StartupError if the API server would refuse it, or if it can't be
    simulated."""
    spec = manifest["spec"]
    if manifest["kind"] == "ScaledObject":
        return _of_keda(spec)
    low, high = spec.get("minReplicas", 1), spec.get("maxReplicas")
    utilisations = {}
    for metric in spec.get("metrics", ()):
        target = metric.get("resource", {}).get("target", {})
        name = metric.get("resource", {}).get("name")
        if (
            metric.get("type") != "Resource"
            or target.get("type") != "Utilization"
            or name not in ("cpu", "memory")
        ):
            raise StartupError(
                "Only Resource metrics with a Utilization of cpu or memory are simulated; remove "
                "the other metrics."
            )
        utilisations[name] = _count("averageUtilization", target.get("averageUtilization"))
    behaviour, tolerance = _behaviour(spec.get("behavior"))
    if not utilisations:
        raise StartupError("The HorizontalPodAutoscaler has no metrics; write at least one.")
    return _bounded(low, high, utilisations=utilisations, behaviour=behaviour, tolerance=tolerance)


def _of_keda(spec: Mapping[str, Any]) -> Autoscaler:
    try:
        (trigger,) = spec["triggers"]
        target = float(trigger["metadata"]["threshold"])
        if not 0 < target < math.inf:
            raise ValueError
    except (KeyError, ValueError):
        raise StartupError(
            "Only a ScaledObject with one trigger and its threshold, above 0, is simulated; give "
            "one."
        ) from None
    config = spec.get("advanced", {}).get("horizontalPodAutoscalerConfig", {})
    behaviour, tolerance = _behaviour(config.get("behavior"))
    low, high = spec.get("minReplicaCount", 0), spec.get("maxReplicaCount", 100)
    return _bounded(low, high, offered_load=target, behaviour=behaviour, tolerance=tolerance)


def _bounded(low: object, high: object, **others: Any) -> Autoscaler:
    least, most = _count("The least replicas", low), _count("The most replicas", high)
    if least > most:
        raise StartupError(
            f"The least replicas, {least}, are more than the most, {most}; correct one of them."
        )
    return Autoscaler(low=least, high=most, **others)


def _behaviour(spec: Mapping[str, Any] | None) -> tuple[Behaviour | None, Tolerance]:
    if spec is None:
        return None, USUAL
    up, down = spec.get("scaleUp") or {}, spec.get("scaleDown") or {}
    tolerance = Tolerance(
        float(parse(down.get("tolerance", USUAL.down))), float(parse(up.get("tolerance", USUAL.up)))
    )
    return Behaviour(_rules(up, UP), _rules(down, DOWN)), tolerance


def _rules(spec: Mapping[str, Any], usual: ScalingRules) -> ScalingRules:
    policies = tuple(
        Policy(
            _one_of("A policy's type", policy["type"], "Percent", "Pods"),
            _count("A policy's value", policy["value"]),
            _count("A policy's periodSeconds", policy["periodSeconds"], most=MAX_PERIOD_S),
        )
        for policy in spec.get("policies") or ()
    )
    window = spec.get("stabilizationWindowSeconds", usual.window)
    if not 0 <= window <= MAX_WINDOW_S:
        raise StartupError(f"stabilizationWindowSeconds is {window}; write 0 to {MAX_WINDOW_S}.")
    select = _one_of(
        "selectPolicy", spec.get("selectPolicy", usual.select), "Max", "Min", "Disabled"
    )
    return ScalingRules(policies or usual.policies, window, select)


def _one_of(what: str, value: Any, *known: str) -> Any:
    if value not in known:
        raise StartupError(f"{what} is {value}; write {', '.join(known)}.")
    return value


def _count(what: str, value: object, *, most: int = sys.maxsize) -> int:
    if type(value) is not int or not 1 <= value <= most:
        upto = "" if most == sys.maxsize else f" to {most}"
        raise StartupError(f"{what} is {value}; write a whole number from 1{upto}.")
    return value
