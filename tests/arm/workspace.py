"""The Azure ML workspace: its online endpoints and deployments, with Azure Resource Manager's rules
and answers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from arm.assets import Assets
from arm.https import Reply, Request
from arm.models import Models

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
GROUP = "ml-group"
WORKSPACE = "ml-workspace"
PREFIX = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    f"/providers/Microsoft.MachineLearningServices/workspaces/{WORKSPACE}"
)
SOON = {"retry-after-ms": "1"}
"""azure-core takes a Retry-After of 0 for none, and waits 5 or 30 seconds then."""
AT_ONCE = {"Retry-After": "0.001"}


class Refusal(Exception):
    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        body = {"error": {"code": code, "message": message, "details": [], "additionalInfo": []}}
        self.reply = Reply(status, body, headers or {})


@dataclass
class Operation:
    """Under way for as many requests as ``left`` says, whatever they ask."""

    left: int
    endpoint: str
    finish: Callable[[], None]
    error: dict[str, str] | None = None


class Workspace:
    """``url`` is where it is served. Everything is kept in memory."""

    def __init__(self) -> None:
        self.url = ""
        self.assets = Assets()
        self.models = Models()
        self.models.prefix = PREFIX
        self.duration = 2
        """How many requests long an operation takes."""
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.deployments: dict[str, dict[str, dict[str, Any]]] = {}
        self.failing: dict[str, dict[str, str]] = {}
        """The error by which provisioning of a deployment will fail."""
        self.console: dict[str, dict[str, str]] = {}
        """Log by deployment and container."""
        self.taken: set[str] = set()
        """Names of other people's endpoints in the region."""
        self.keys = {"primaryKey": "key-1", "secondaryKey": "key-2"}
        self.token = "aml-token"
        self._operations: dict[str, Operation] = {}
        self._numbers = itertools.count(1)

    def __call__(self, request: Request) -> Reply:
        """The answer to a request below /subscriptions."""
        for operation in self._operations.values():
            operation.left -= 1
            if operation.left == 0:
                operation.finish()
        if "authorization" not in request.headers:
            return Refusal(
                401,
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing.",
            ).reply
        try:
            return self._route(request)
        except Refusal as refusal:
            return refusal.reply

    def _route(self, request: Request) -> Reply:
        if request.path.startswith("/operations/"):
            return self._operation(request.path.removeprefix("/operations/"))
        if not request.path.startswith(PREFIX):
            name = request.path.split("/workspaces/")[-1].split("/")[0]
            raise Refusal(
                404,
                "ResourceNotFound",
                f"The Resource 'Microsoft.MachineLearningServices/workspaces/{name}' under "
                f"resource group '{GROUP}' was not found.",
            )
        path = request.path.removeprefix(PREFIX)
        for pattern, handle in (
            (r"", self._workspace),
            (r"/(codes|data|environments)/([^/]+)/versions/([^/]+)", self.assets.version),
            (r"/(codes)/([^/]+)/versions", self.assets.list),
            (r"/codes/([^/]+)/versions/([^/]+)/startPendingUpload", self.assets.upload),
            (r"/models/([^/]+)/versions", self.models.newest),
            (r"/models/([^/]+)/versions/([^/]+)", self.models.version),
            (r"/datastores/([^/]+)", self.models.datastore),
            (r"/datastores/([^/]+)/listSecrets", self.models.secrets),
            (r"/onlineEndpoints/([^/]+)", self._endpoint),
            (r"/onlineEndpoints/([^/]+)/(listKeys|token)", self._credentials),
            (r"/onlineEndpoints/([^/]+)/deployments", self._list),
            (r"/onlineEndpoints/([^/]+)/deployments/([^/]+)", self._deployment),
            (r"/onlineEndpoints/([^/]+)/deployments/([^/]+)/getLogs", self._logs),
        ):
            if found := re.fullmatch(pattern, path):
                return handle(request, *found.groups())  # type: ignore[operator]
        raise Refusal(404, "NotFound", f"{request.method} {path} is not served here.")

    def _workspace(self, _: Request) -> Reply:
        return Reply(
            200,
            {
                "id": PREFIX,
                "name": WORKSPACE,
                "location": "westeurope",
                "kind": "Default",
                "properties": {},
            },
        )

    def _operation(self, name: str) -> Reply:
        operation = self._operations[name]
        if operation.left > 0:
            return Reply(202, {"name": name, "status": "InProgress"}, SOON)
        if operation.error:
            return Reply(200, {"name": name, "status": "Failed", "error": operation.error})
        return Reply(200, {"name": name, "status": "Succeeded"})

    def _begin(
        self,
        status: int,
        endpoint: str,
        finish: Callable[[], None],
        body: Any = None,
        error: Any = None,
    ) -> Reply:
        name = str(next(self._numbers))
        self._operations[name] = Operation(self.duration, endpoint, finish, error)
        url = f"{self.url}/operations/{name}"
        return Reply(status, body, {"Azure-AsyncOperation": url, "Location": url, **SOON})

    def _known(self, endpoint: str) -> dict[str, Any]:
        if endpoint not in self.endpoints:
            resource = (
                f"Microsoft.MachineLearningServices/workspaces/{WORKSPACE}"
                f"/onlineEndpoints/{endpoint}"
            )
            raise Refusal(
                404,
                "ResourceNotFound",
                f"The Resource '{resource}' under resource group '{GROUP}' was not found.",
            )
        return self.endpoints[endpoint]

    def _idle(self, endpoint: str) -> None:
        if any(o.left > 0 and o.endpoint == endpoint for o in self._operations.values()):
            raise Refusal(
                409,
                "Conflict",
                "Another operation on this endpoint is in progress; try again when it has ended.",
                AT_ONCE,
            )

    def _endpoint(self, request: Request, name: str) -> Reply:
        if request.method == "GET":
            return Reply(200, self._known(name))
        if request.method != "PUT":
            raise Refusal(405, "MethodNotAllowed", request.method)
        if name in self.taken:
            raise Refusal(
                400,
                "BadRequest",
                "There is already an endpoint with this name, Endpoint name needs to be unique "
                "within a region. "
                "Try some other name.",
            )
        self._idle(name)
        sent = request.document
        _check_tags(sent)
        self._check_traffic(
            name,
            sent["properties"].get("traffic") or {},
            sent["properties"].get("mirrorTraffic") or {},
        )
        new = name not in self.endpoints
        served = {
            "scoringUri": f"{self.url}/endpoints/{name}/score",
            "swaggerUri": f"{self.url}/endpoints/{name}/swagger",
        }
        held = {
            **sent,
            "id": f"{PREFIX}/onlineEndpoints/{name}",
            "name": name,
            "kind": "Managed",
            "properties": {
                "properties": {},
                **sent["properties"],
                **served,
                "provisioningState": "Succeeded",
            },
            "systemData": {
                "createdBy": "someone",
                "createdAt": "2026-01-01T00:00:00Z",
                "lastModifiedAt": "2026-01-01T00:00:00Z",
            },
        }
        if new:
            self.deployments[name] = {}
            self.endpoints[name] = _in_state(held, "Creating")
        else:
            self.endpoints[name] = _in_state(self.endpoints[name], "Updating")
        return self._begin(
            201 if new else 200,
            name,
            lambda: self.endpoints.update({name: held}),
            self.endpoints[name],
        )

    def _check_traffic(self, endpoint: str, live: dict[str, int], mirror: dict[str, int]) -> None:
        known = self.deployments.get(endpoint, {})
        if missing := [name for name in {**live, **mirror} if name not in known]:
            raise Refusal(
                400,
                "BadRequest",
                f"Traffic refers to deployments that do not exist: {', '.join(missing)}.",
            )
        if sum(live.values()) not in (0, 100):
            raise Refusal(
                400, "BadRequest", f"Traffic must sum to 0 or 100; it sums to {sum(live.values())}."
            )
        if len(mirror) > 1 or any(not 0 < percent <= 50 for percent in mirror.values()):
            raise Refusal(
                400, "BadRequest", "Mirror traffic goes to one deployment, with at most 50 percent."
            )
        if any(live.get(name) for name in mirror):
            raise Refusal(
                400, "BadRequest", "A deployment takes live traffic or mirror traffic, not both."
            )

    def _credentials(self, request: Request, name: str, kind: str) -> Reply:
        mode = self._known(name)["properties"]["authMode"]
        if {"Key": "listKeys", "AMLToken": "token"}.get(mode) != kind:
            raise Refusal(400, "BadRequest", f"The endpoint's authMode is {mode}.")
        if kind == "listKeys":
            return Reply(200, self.keys)
        return Reply(
            200,
            {
                "accessToken": self.token,
                "expiryTimeUtc": 4e9,
                "refreshAfterTimeUtc": 4e9,
                "tokenType": "Bearer",
            },
        )

    def _list(self, _: Request, endpoint: str) -> Reply:
        self._known(endpoint)
        return Reply(200, {"value": list(self.deployments[endpoint].values())})

    def _deployment(self, request: Request, endpoint: str, name: str) -> Reply:
        known, held = self._known(endpoint), self.deployments[endpoint].get(name)
        if request.method == "DELETE" and held is None:
            return Reply(204)
        if request.method in ("PUT", "DELETE"):
            self._idle(endpoint)
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
        self.deployments[endpoint][name] = _in_state(held, "Deleting")
        return self._begin(202, endpoint, lambda: self.deployments[endpoint].__delitem__(name))

    def _provision(self, request: Request, endpoint: str, name: str) -> Reply:
        sent = request.document
        _check_tags(sent)
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
        new, error = name not in self.deployments[endpoint], self.failing.get(name)
        self.deployments[endpoint][name] = _in_state(held, "Creating" if new else "Updating")
        done = _in_state(held, "Failed" if error else "Succeeded")
        return self._begin(
            201 if new else 200,
            endpoint,
            lambda: self.deployments[endpoint].update({name: done}),
            self.deployments[endpoint][name],
            error,
        )

    def _logs(self, request: Request, endpoint: str, name: str) -> Reply:
        if name not in self.deployments.get(endpoint, {}):
            raise Refusal(404, "ResourceNotFound", f"Deployment '{name}' was not found.")
        container = request.document.get("containerType") or "InferenceServer"
        lines = (
            self.console.get(name, {}).get(container, "").splitlines()[-request.document["tail"] :]
        )
        return Reply(200, {"content": "\n".join(lines)})


def _in_state(resource: dict[str, Any], state: str) -> dict[str, Any]:
    return {**resource, "properties": {**resource["properties"], "provisioningState": state}}


def _check_tags(resource: dict[str, Any]) -> None:
    """Azure Resource Manager's limits. A PUT replaces all tags by those that are sent."""
    tags = resource.get("tags") or {}
    if len(tags) > 50:
        raise Refusal(400, "BadRequest", f"A resource may have 50 tags; {len(tags)} were sent.")
    if wrong := [
        name for name, value in tags.items() if set(name) & set("<>%&\\?/") or len(name) > 512
    ]:
        raise Refusal(400, "BadRequest", f"These are no names for tags: {', '.join(wrong)}.")
    if long := [name for name, value in tags.items() if len(value) > 256]:
        raise Refusal(
            400, "BadRequest", f"A tag's value may have 256 characters; longer: {', '.join(long)}."
        )
