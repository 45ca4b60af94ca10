"""A workspace's online endpoints, their traffic and their keys."""

from __future__ import annotations

from typing import Any

from arm.https import Reply, Request
from arm.operations import Operations
from arm.resource_manager import GROUP, PREFIX, WORKSPACE, Refusal, check_tags, in_state


class OnlineEndpoints:
    """``endpoints`` and ``deployments`` are what there is. ``taken``: names of other people's
    endpoints in the region."""

    def __init__(self, operations: Operations) -> None:
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.deployments: dict[str, dict[str, dict[str, Any]]] = {}
        self.taken: set[str] = set()
        self.keys = {"primaryKey": "key-1", "secondaryKey": "key-2"}
        self.token = "aml-token"
        self._operations = operations

    def known(self, endpoint: str) -> dict[str, Any]:
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

    def endpoint(self, request: Request, name: str) -> Reply:
        if request.method == "GET":
            return Reply(200, self.known(name))
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
        self._operations.check_idle(name)
        sent = request.document
        check_tags(sent)
        self._check_traffic(
            name,
            sent["properties"].get("traffic") or {},
            sent["properties"].get("mirrorTraffic") or {},
        )
        new = name not in self.endpoints
        served = {
            "scoringUri": f"{self._operations.url}/endpoints/{name}/score",
            "swaggerUri": f"{self._operations.url}/endpoints/{name}/swagger",
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
            self.endpoints[name] = in_state(held, "Creating")
        else:
            self.endpoints[name] = in_state(self.endpoints[name], "Updating")
        return self._operations.begin(
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

    def credentials(self, request: Request, name: str, kind: str) -> Reply:
        mode = self.known(name)["properties"]["authMode"]
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
