"""A Kubernetes API server for ``kubectl`` to talk to: what it is not asked for on our pages it
answers with 404."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from cluster.objects import NAMESPACE, Key, objects
from deploy.kustomize import MERGED_BY, Manifest

RESOURCES: dict[str, dict[str, str]] = {
    "v1": {
        "pods": "Pod",
        "events": "Event",
        "services": "Service",
        "serviceaccounts": "ServiceAccount",
    },
    "apps/v1": {"deployments": "Deployment", "replicasets": "ReplicaSet"},
    "autoscaling/v2": {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
    "autoscaling/v1": {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
    "metrics.k8s.io/v1beta1": {"pods": "PodMetrics"},
}
"""Kinds by group and version."""

SHORT = {"horizontalpodautoscalers": ["hpa"]}
VERBS = ["delete", "get", "list", "patch", "watch"]
VERSION = {"major": "1", "minor": "33", "gitVersion": "v1.33.0"}
LOG = '{"level": "critical", "message": "The model needs scikit-learn 1.5."}\n'
METRICS = 'scoring_requests_total{outcome="ok"} 1.0\n'


class Cluster:
    """``objects`` by resource and name. ``scored``: bodies posted to ``/inference/score``, API
    Management's address."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.objects = objects()
        self.scored: list[Any] = []

    def changed(self) -> list[Manifest]:
        """Return what differs from the start."""
        before = objects()
        return [each for key, each in self.objects.items() if each != before[key]]

    def answer(self, method: str, path: str, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        """Status, and a text or what becomes JSON."""
        if path == "/inference/score" and method == "POST":
            self.scored.append(json.loads(body))
            return 200, {"predictions": [1.0]}
        if path == "/version":
            return 200, VERSION
        parts = path.strip("/").split("/")
        if parts[0] not in ("api", "apis"):
            return 404, _status(404, f"{path} is not known here")
        group = parts[1] if parts[0] == "api" and len(parts) > 1 else "/".join(parts[1:3])
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        if not rest:
            return _discovery(parts[0], group)
        if (
            rest[:2] != ["namespaces", NAMESPACE]
            or len(rest) < 3
            or rest[2] not in RESOURCES.get(group, {})
        ):
            return 404, _status(404, f"{path} is not known here")
        return self._resource(method, group, rest[2:], query, body)

    def _resource(
        self, method: str, group: str, rest: list[str], query: dict[str, str], body: bytes
    ) -> tuple[int, Any]:
        resource = "podmetrics" if group.startswith("metrics") else rest[0]
        if len(rest) == 1:
            return 200, None if query.get("watch") else self._listed(group, resource, query)
        name, *sub = rest[1].removesuffix(":5001"), *rest[2:]
        found = self.objects.get((resource, name))
        if found is None:
            return 404, _status(404, f"{resource} {name!r} not found")
        if sub:
            told = {("log",): LOG, ("proxy", "metrics"): METRICS}.get(tuple(sub))
            return (200, told) if told else (404, _status(404, f"{sub} is not known here"))
        if method == "PATCH":
            found = self._patched((resource, name), json.loads(body))
        if method == "DELETE":
            del self.objects[resource, name]
        return 200, _in_version(found, group)

    def _listed(self, group: str, resource: str, query: dict[str, str]) -> Any:
        items = [each for (kind, _), each in self.objects.items() if kind == resource]
        for term in filter(None, query.get("labelSelector", "").split(",")):
            key, value = term.replace("==", "=").split("=")
            items = [each for each in items if each["metadata"].get("labels", {}).get(key) == value]
        for term in filter(None, query.get("fieldSelector", "").split(",")):
            key, value = term.split("=")
            items = [each for each in items if str(_field(each, key)) == value]
        kind = (
            next(iter(RESOURCES[group].values()))
            if resource == "podmetrics"
            else RESOURCES[group][resource]
        )
        shown = [_in_version(each, group) for each in items]
        return {
            "apiVersion": group,
            "kind": f"{kind}List",
            "metadata": {"resourceVersion": "1"},
            "items": shown,
        }

    def _patched(self, key: Key, patch: Any) -> Manifest:
        """A merge patch, a strategic one, or the replacements that ``kubectl rollout undo`` asks
        for."""
        made = copy.deepcopy(self.objects[key])
        if isinstance(patch, list):
            for step in patch:
                assert step["op"] == "replace", f"{step['op']} is not known here"
                *parents, last = step["path"].strip("/").split("/")
                _field(made, ".".join(parents))[last] = step["value"]
        else:
            made = _merged(made, patch)
        self.objects[key] = made
        return made


def _discovery(kind: str, group: str) -> tuple[int, Any]:
    if group in RESOURCES:
        listed = [
            {
                "name": resource,
                "singularName": "",
                "namespaced": True,
                "kind": name,
                "verbs": VERBS,
                "shortNames": SHORT.get(resource, []),
            }
            for resource, name in RESOURCES[group].items()
        ]
        return 200, {"kind": "APIResourceList", "groupVersion": group, "resources": listed}
    if group:
        return 404, _status(404, f"{group} is not known here")
    if kind == "api":
        return 200, {"kind": "APIVersions", "versions": ["v1"]}
    versions: dict[str, list[dict[str, str]]] = {}
    for each in RESOURCES:
        if "/" in each:
            name, version = each.split("/")
            versions.setdefault(name, []).append({"groupVersion": each, "version": version})
    groups = [
        {"name": name, "versions": them, "preferredVersion": them[0]}
        for name, them in versions.items()
    ]
    return 200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def _status(code: int, message: str) -> Any:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "message": message,
    }


def _in_version(manifest: Manifest, group: str) -> Manifest:
    """An old kubectl asks for an autoscaler of version 1, which knows less."""
    if group != "autoscaling/v1":
        return manifest
    spec = {
        key: value for key, value in manifest["spec"].items() if key not in ("metrics", "behavior")
    }
    replicas = {key: manifest["status"][key] for key in ("currentReplicas", "desiredReplicas")}
    return manifest | {"apiVersion": group, "spec": spec, "status": replicas}


def _field(value: Any, path: str) -> Any:
    for key in path.split("."):
        value = value.get(key, {})
    return value


def _merged(old: Any, new: Any, key: str = "") -> Any:
    """Merge by Kubernetes' strategic merge: lists of named things are merged by their names."""
    if isinstance(new, dict):
        kept = {
            name: value for name, value in new.items() if not name.startswith("$setElementOrder/")
        }
        old = old if isinstance(old, dict) else {}
        made = old | {name: _merged(old.get(name), value, name) for name, value in kept.items()}
        return {name: value for name, value in made.items() if value is not None}
    if not isinstance(new, list) or key not in MERGED_BY:
        return new
    by = MERGED_BY[key]
    items = {item[by]: item for item in old or []}
    for item in new:
        items[item[by]] = _merged(items.get(item[by]), item)
    return [item for item in items.values() if item.get("$patch") != "delete"]


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Cluster, str, Path]]:
    """A cluster, its address, and the kubeconfig that leads there."""
    cluster = Cluster()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            url = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, content = cluster.answer(self.command, url.path, query, body)
            text = (
                content if isinstance(content, str) else json.dumps(content) if content else ""
            ).encode()
            self.send_response(status)
            self.send_header(
                "Content-Type", "text/plain" if isinstance(content, str) else "application/json"
            )
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    config = folder / "kubeconfig"
    named = {"name": "here"}
    context = named | {"context": {"cluster": "here", "user": "here"}}
    config.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "here",
                "clusters": [named | {"cluster": {"server": url}}],
                "users": [named | {"user": {}}],
                "contexts": [context],
            }
        )
    )
    try:
        yield cluster, url, config
    finally:
        server.shutdown()
        server.server_close()
