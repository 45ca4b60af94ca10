"""The origins of one Front Door: listed by pages, looked at, and changed in a while."""

from __future__ import annotations

import re
from typing import Any

from arm.https import Reply, Request
from arm.resource_manager import SUBSCRIPTION

GROUP = "rg-scoring-global"
PROFILE = "afd-scoring-global"
ORIGINS = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    f"/providers/Microsoft.Cdn/profiles/{PROFILE}/originGroups/regions/origins"
)
API_VERSION = "2025-04-15"
PAGE = 1
"""Origins in one answer; Azure says where the next ones are."""


class FrontDoorOrigins:
    """``properties`` of each origin, by its name. A change takes ``looks`` looks at it, and ends in
    ``end``."""

    def __init__(self) -> None:
        self.url = ""
        self.looks = 1
        self.end = "Succeeded"
        self.properties = {name: _origin(name) for name in ("westeurope", "swedencentral")}
        self._changes: dict[str, dict[str, Any]] = {}
        self._left = 0

    def __call__(self, request: Request) -> Reply:
        match = re.fullmatch(f"{ORIGINS}(?:/([^/]+))?", request.path, re.IGNORECASE)
        if match is None or request.query.get("api-version") != API_VERSION:
            return _refusal(404, "ResourceNotFound", "The Resource was not found.")
        if "authorization" not in request.headers:
            return _refusal(401, "AuthenticationFailed", "The 'Authorization' header is missing.")
        name = match[1]
        if name is None:
            return self._page(int(request.query.get("$skiptoken", 0)))
        if name not in self.properties:
            return _refusal(404, "NotFound", "Entity with specified id does not exist.")
        if request.method == "PATCH":
            return self._patch(name, request.document["properties"])
        if request.method == "GET":
            self._pass(name)
            return Reply(200, self._described(name))
        return _refusal(405, "MethodNotAllowed", request.method)

    def _patch(self, name: str, sent: dict[str, Any]) -> Reply:
        if self._changes:
            return _refusal(409, "Conflict", "Another operation on this profile is in progress.")
        if not sent.keys() <= {"weight", "enabledState", "priority"}:
            return _refusal(400, "BadRequest", "These properties can't be changed.")
        if not 1 <= sent.get("weight", 1) <= 1000:
            return _refusal(400, "BadRequest", "The weight must be between 1 and 1000.")
        self._changes[name], self._left = sent, self.looks
        self.properties[name]["provisioningState"] = "Updating"
        return Reply(202, self._described(name))

    def _pass(self, name: str) -> None:
        """Let a change that is under way end after some looks."""
        self._left -= 1
        if self._left < 0 and (change := self._changes.pop(name, None)):
            done = change if self.end == "Succeeded" else {}
            self.properties[name].update(done, provisioningState=self.end)

    def _page(self, begin: int) -> Reply:
        names = list(self.properties)
        end = begin + PAGE
        answer: dict[str, Any] = {"value": [self._described(name) for name in names[begin:end]]}
        if end < len(names):
            answer["nextLink"] = f"{self.url}{ORIGINS}?api-version={API_VERSION}&$skiptoken={end}"
        return Reply(200, answer)

    def _described(self, name: str) -> dict[str, Any]:
        return {
            "id": f"{ORIGINS}/{name}",
            "name": name,
            "type": "Microsoft.Cdn/profiles/originGroups/origins",
            "properties": dict(self.properties[name]),
        }


def _origin(name: str) -> dict[str, Any]:
    return {
        "hostName": f"apim-{name}.azure-api.net",
        "originHostHeader": f"apim-{name}.azure-api.net",
        "priority": 1,
        "weight": 500,
        "enabledState": "Enabled",
        "enforceCertificateNameCheck": True,
        "provisioningState": "Succeeded",
        "deploymentStatus": "NotStarted",
    }


def _refusal(status: int, code: str, message: str) -> Reply:
    return Reply(status, {"error": {"code": code, "message": message}})
