"""What a manifest says of scaling: a HorizontalPodAutoscaler's, or that of KEDA's ScaledObject."""

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

LONGEST_PERIOD, LONGEST_WINDOW = 1800, 3600
"""Seconds that the API allows."""


def autoscaler(manifest: Mapping[str, Any]) -> Autoscaler:
    """Raises StartupError where the API server would refuse it, or nothing here computes it."""
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
    return _bounded(low, high, in_flight=target, behaviour=behaviour, tolerance=tolerance)


def _bounded(low: object, high: object, **others: Any) -> Autoscaler:
    least, most = _count("The least replicas", low), _count("The most replicas", high)
    if least > most:
        raise StartupError(
            f"The least replicas, {least}, are more than the most, {most}; correct one of them."
        )
    return Autoscaler(low=least, high=most, **others)


def _behaviour(given: Mapping[str, Any] | None) -> tuple[Behaviour | None, Tolerance]:
    if given is None:
        return None, USUAL
    up, down = given.get("scaleUp") or {}, given.get("scaleDown") or {}
    tolerance = Tolerance(
        float(parse(down.get("tolerance", USUAL.down))), float(parse(up.get("tolerance", USUAL.up)))
    )
    return Behaviour(_rules(up, UP), _rules(down, DOWN)), tolerance


def _rules(given: Mapping[str, Any], usual: ScalingRules) -> ScalingRules:
    policies = tuple(
        Policy(
            _one_of("A policy's type", policy["type"], "Percent", "Pods"),
            _count("A policy's value", policy["value"]),
            _count("A policy's periodSeconds", policy["periodSeconds"], most=LONGEST_PERIOD),
        )
        for policy in given.get("policies") or ()
    )
    window = given.get("stabilizationWindowSeconds", usual.window)
    if not 0 <= window <= LONGEST_WINDOW:
        raise StartupError(f"stabilizationWindowSeconds is {window}; write 0 to {LONGEST_WINDOW}.")
    select = _one_of(
        "selectPolicy", given.get("selectPolicy", usual.select), "Max", "Min", "Disabled"
    )
    return ScalingRules(policies or usual.policies, window, select)


def _one_of(what: str, given: Any, *known: str) -> Any:
    if given not in known:
        raise StartupError(f"{what} is {given}; write {', '.join(known)}.")
    return given


def _count(what: str, given: object, *, most: int = sys.maxsize) -> int:
    if type(given) is not int or not 1 <= given <= most:
        upto = "" if most == sys.maxsize else f" to {most}"
        raise StartupError(f"{what} is {given}; write a whole number from 1{upto}.")
    return given
