"""The deployments of a workspace's online endpoints."""

from __future__ import annotations

from arm.https import Reply, Request
from arm.online_endpoints import OnlineEndpoints
from arm.operations import Operations
from arm.resource_manager import PREFIX, Refusal, check_tags, in_state


class OnlineDeployments:
    """``failing``: the error by which provisioning of a deployment will fail. ``console``: log by
    deployment and container."""

    def __init__(self, online: OnlineEndpoints, operations: Operations) -> None:
        self.failing: dict[str, dict[str, str]] = {}
        self.console: dict[str, dict[str, str]] = {}
        self._online = online
        self._operations = operations

    def list(self, _: Request, endpoint: str) -> Reply:
        self._online.known(endpoint)
        return Reply(200, {"value": list(self._online.deployments[endpoint].values())})

    def deployment(self, request: Request, endpoint: str, name: str) -> Reply:
        known, held = self._online.known(endpoint), self._online.deployments[endpoint].get(name)
        if request.method == "DELETE" and held is None:
            return Reply(204)
        if request.method in ("PUT", "DELETE"):
            self._operations.check_idle(endpoint)
        if request.method == "PUT":
            return self._provision(request, endpoint, name)
        if held is None:
            raise Refusal(404, "ResourceNotFound", f"Deployment '{name}' was not found.")
        if request.method == "GET":
            return Reply(200, held)
        if (known["properties"].get("traffic") or {}).get(name):
            raise Refusal(
                400,
                "BadRequest",
                f"Deployment '{name}' has live traffic; set its traffic to 0 before deleting it.",
            )
        self._online.deployments[endpoint][name] = in_state(held, "Deleting")
        return self._operations.begin(
            202, endpoint, lambda: self._online.deployments[endpoint].__delitem__(name)
        )

    def _provision(self, request: Request, endpoint: str, name: str) -> Reply:
        sent = request.document
        check_tags(sent)
        held = {
            **sent,
            "id": f"{PREFIX}/onlineEndpoints/{endpoint}/deployments/{name}",
            "name": name,
            "properties": {
                "scaleSettings": {"scaleType": "Default"},
                "properties": {},
                **{key: value for key, value in sent["properties"].items() if value is not None},
            },
        }
        new, error = name not in self._online.deployments[endpoint], self.failing.get(name)
        self._online.deployments[endpoint][name] = in_state(held, "Creating" if new else "Updating")
        done = in_state(held, "Failed" if error else "Succeeded")
        return self._operations.begin(
            201 if new else 200,
            endpoint,
            lambda: self._online.deployments[endpoint].update({name: done}),
            self._online.deployments[endpoint][name],
            error,
        )

    def logs(self, request: Request, endpoint: str, name: str) -> Reply:
        if name not in self._online.deployments.get(endpoint, {}):
            raise Refusal(404, "ResourceNotFound", f"Deployment '{name}' was not found.")
        container = request.document.get("containerType") or "InferenceServer"
        lines = (
            self.console.get(name, {}).get(container, "").splitlines()[-request.document["tail"] :]
        )
        return Reply(200, {"content": "\n".join(lines)})
