"""What a cluster holds after ``kubernetes/overlays/prod`` was applied twice: the second revision
serves by two pods."""

from __future__ import annotations

import copy
from typing import Any

from deploy.kustomize import Manifest
from deploy.manifests import ALL

NAMESPACE = "ml-inference"
CREATED = "2026-11-23T00:00:00Z"
PODS = ("ml-inference-7c9f-aaaaa", "ml-inference-7c9f-bbbbb")

Key = tuple[str, str]
"""Resource and name."""


def objects() -> dict[Key, Manifest]:
    rendered = {
        (_resource(each), each["metadata"]["name"]): copy.deepcopy(each) for each in ALL["prod"]
    }
    deployment = rendered["deployments", "ml-inference"]
    _complete(deployment, 2)
    replicas = {"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}
    deployment["spec"]["replicas"] = 2
    deployment["status"] = {"observedGeneration": 1, **replicas}
    sets = [_replica_set(deployment, revision, 2 if revision == 2 else 0) for revision in (1, 2)]
    scaler = rendered["horizontalpodautoscalers", "ml-inference-hpa"]
    _complete(scaler, 1)
    scaler["status"] = {
        "currentReplicas": 2,
        "desiredReplicas": 2,
        "conditions": [],
        "currentMetrics": [],
    }
    pods = [_pod(deployment, name) for name in PODS]
    made = [*sets, *pods, *map(_usage, PODS), _event(PODS[0])]
    return rendered | {(_resource(each), each["metadata"]["name"]): each for each in made}


def _resource(manifest: Manifest) -> str:
    if manifest["kind"] == "NetworkPolicy":
        return "networkpolicies"
    return "podmetrics" if manifest["kind"] == "PodMetrics" else f"{manifest['kind'].lower()}s"


def _complete(manifest: Manifest, revision: int) -> None:
    """Return the object with what the API server adds."""
    manifest["metadata"] |= {
        "uid": f"uid-of-{manifest['metadata']['name']}",
        "creationTimestamp": CREATED,
        "generation": 1,
        "resourceVersion": "1",
        "annotations": {"deployment.kubernetes.io/revision": str(revision)},
    }


def _replica_set(deployment: Manifest, revision: int, replicas: int) -> Manifest:
    template: Any = copy.deepcopy(deployment["spec"]["template"])
    template["metadata"]["labels"]["pod-template-hash"] = f"hash{revision}"
    if replicas == 0:
        template["spec"]["containers"][0]["image"] += "-before"
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "controller": True}
    owner |= {key: deployment["metadata"][key] for key in ("name", "uid")}
    made: Manifest = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"ml-inference-hash{revision}",
            "namespace": NAMESPACE,
            "labels": template["metadata"]["labels"],
        },
        "spec": {
            "replicas": replicas,
            "selector": deployment["spec"]["selector"],
            "template": template,
        },
        "status": {"replicas": replicas},
    }
    _complete(made, revision)
    return made | {"metadata": made["metadata"] | {"ownerReferences": [owner]}}


def _pod(deployment: Manifest, name: str) -> Manifest:
    template = copy.deepcopy(deployment["spec"]["template"])
    container = template["spec"]["containers"][0]
    state = {
        "name": container["name"],
        "image": container["image"],
        "ready": True,
        "restartCount": 1,
    }
    made = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "labels": template["metadata"]["labels"],
        },
        "spec": template["spec"] | {"nodeName": "node-0"},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [state | {"state": {"running": {"startedAt": CREATED}}}],
        },
    }
    _complete(made, 1)
    return made


def _usage(name: str) -> Manifest:
    return {
        "apiVersion": "metrics.k8s.io/v1beta1",
        "kind": "PodMetrics",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "creationTimestamp": CREATED,
            "labels": {"app": "ml-inference"},
        },
        "timestamp": CREATED,
        "window": "30s",
        "containers": [{"name": "inference", "usage": {"cpu": "250m", "memory": "300Mi"}}],
    }


def _event(pod: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{pod}.1", "namespace": NAMESPACE, "creationTimestamp": CREATED},
        "involvedObject": {"kind": "Pod", "name": pod, "namespace": NAMESPACE},
        "reason": "Unhealthy",
        "message": "Readiness probe failed: HTTP probe failed with statuscode: 503",
        "type": "Warning",
        "count": 1,
        "firstTimestamp": CREATED,
        "lastTimestamp": CREATED,
    }
