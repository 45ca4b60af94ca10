"""Azure Monitor's autoscale settings of one resource group: listed by pages, made, replaced and
deleted."""

from __future__ import annotations

import re
from typing import Any

from arm.https import Reply, Request
from arm.resource_manager import GROUP, PREFIX, SUBSCRIPTION

SETTINGS = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    "/providers/Microsoft.Insights/autoscaleSettings"
)
PAGE = 2
"""Settings in one answer; Azure says where the next ones are."""


class Autoscale:
    """``settings`` by name, as Azure answers them. ``url`` is where it is served."""

    def __init__(self) -> None:
        self.url = ""
        self.settings: dict[str, dict[str, Any]] = {}

    def __call__(self, request: Request) -> Reply:
        found = re.fullmatch(f"{SETTINGS}(?:/([^/]+))?", request.path, re.IGNORECASE)
        if found is None or request.query.get("api-version") != "2022-10-01":
            return _refusal(
                404, "ResourceNotFound", "The resource type is not known in this version."
            )
        if "authorization" not in request.headers:
            return _refusal(401, "AuthenticationFailed", "The 'Authorization' header is missing.")
        name = found[1]
        if name is None:
            return self._page(int(request.query.get("$skiptoken", 0)))
        if request.method == "PUT":
            return self._put(name, request.document)
        if request.method == "DELETE":
            return Reply(200 if self.settings.pop(name, None) else 204)
        return _refusal(405, "MethodNotAllowed", request.method)

    def of(self, target: str) -> dict[str, Any] | None:
        """Return the setting that scales it."""
        return next(
            (
                one
                for one in self.settings.values()
                if one["properties"]["targetResourceUri"] == target
            ),
            None,
        )

    def _page(self, begin: int) -> Reply:
        listed = list(self.settings.values())
        end = begin + PAGE
        answer: dict[str, Any] = {"value": listed[begin:end]}
        if end < len(listed):
            answer["nextLink"] = f"{self.url}{SETTINGS}?api-version=2022-10-01&$skiptoken={end}"
        return Reply(200, answer)

    def _put(self, name: str, sent: dict[str, Any]) -> Reply:
        properties = sent["properties"]
        there = self.of(properties["targetResourceUri"])
        if there and there["name"] != name:
            return _refusal(
                409, "Conflict", f"The resource already has the autoscale setting {there['name']}."
            )
        for profile in properties["profiles"]:
            counts = [int(profile["capacity"][key]) for key in ("minimum", "default", "maximum")]
            if (
                not all(isinstance(count, str) for count in profile["capacity"].values())
                or sorted(counts) != counts
            ):
                return _refusal(
                    400, "BadRequest", "The capacity is not minimum, default, maximum as text."
                )
        known = name in self.settings
        self.settings[name] = {
            "id": f"{SETTINGS}/{name}",
            "name": name,
            "type": "Microsoft.Insights/autoscaleSettings",
            "location": sent["location"],
            "tags": sent.get("tags"),
            "properties": properties,
            "systemData": {"createdBy": "someone"},
        }
        return Reply(200 if known else 201, self.settings[name])


def setting(name: str, deployment: str, minimum: int = 3, maximum: int = 10) -> dict[str, Any]:
    """Return a setting for a deployment of the endpoint credit: a rule on its CPU, and a profile
    for nights."""
    target = f"{PREFIX}/onlineEndpoints/credit/deployments/{deployment}"
    rule = {
        "metricTrigger": {
            "metricName": "CpuUtilizationPercentage",
            "metricResourceUri": target,
            "threshold": 70,
        },
        "scaleAction": {
            "direction": "Increase",
            "type": "ChangeCount",
            "value": "2",
            "cooldown": "PT5M",
        },
    }
    profiles = [
        {"name": "load", "capacity": _capacity(minimum, maximum), "rules": [rule]},
        {
            "name": "night",
            "capacity": _capacity(minimum - 1, minimum + 1),
            "rules": [],
            "recurrence": {"frequency": "Week"},
        },
    ]
    return {
        "id": f"{SETTINGS}/{name}",
        "name": name,
        "type": "Microsoft.Insights/autoscaleSettings",
        "location": "westeurope",
        "tags": {"team": "credit"},
        "properties": {
            "name": name,
            "enabled": True,
            "targetResourceUri": target,
            "profiles": profiles,
        },
    }


def _capacity(minimum: int, maximum: int) -> dict[str, str]:
    return {"minimum": str(minimum), "maximum": str(maximum), "default": str(minimum)}


def _refusal(status: int, code: str, message: str) -> Reply:
    return Reply(status, {"error": {"code": code, "message": message}})
