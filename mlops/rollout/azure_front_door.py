"""The origins of a Front Door, by Azure Resource Manager."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from mlops.endpoint import EndpointError
from mlops.rollout.azure_calls import PatientCalls
from mlops.rollout.azure_sign_in import sign_in
from mlops.rollout.front_door import Origin
from mlops.rollout.resource_manager import ResourceManager

API_VERSION = "2025-04-15"
ROLE = "CDN Profile Contributor on the resource group of Front Door"
PATIENCE_S = 600
POLL_S = 5
"""Time between looks at an origin that is being changed."""


def connect(
    *, subscription: str, resource_group: str, profile: str, origin_group: str
) -> AzureFrontDoor:
    """Connect to the origins of a group by ``sign_in``."""
    return AzureFrontDoor(
        ResourceManager(sign_in()),
        subscription=subscription,
        resource_group=resource_group,
        profile=profile,
        origin_group=origin_group,
    )


class AzureFrontDoor:
    """A FrontDoor in Azure. ``patience_s``: how long a call may take."""

    def __init__(
        self,
        arm: ResourceManager,
        *,
        subscription: str,
        resource_group: str,
        profile: str,
        origin_group: str,
        patience_s: float = PATIENCE_S,
        poll_s: float = POLL_S,
    ) -> None:
        self._arm = arm
        self._calls = PatientCalls(patience_s, ROLE)
        self._profile = profile
        self._patience_s = patience_s
        self._poll_s = poll_s
        self._origins = (
            f"/subscriptions/{subscription}/resourceGroups/{resource_group}"
            f"/providers/Microsoft.Cdn/profiles/{profile}/originGroups/{origin_group}/origins"
        )

    def origins(self) -> Mapping[str, Origin]:
        every = f"{self._origins}?api-version={API_VERSION}"
        resources = self._calls.ask(
            f"look up the origins of Front Door {self._profile}",
            lambda: list(self._arm.every(every)),
        )
        return {one["name"]: _origin(one["properties"]) for one in resources}

    def set_weight(self, origin: str, weight: int) -> None:
        what = f"set the weight of {origin} at Front Door {self._profile}"
        path = f"{self._origins}/{origin}?api-version={API_VERSION}"
        self._calls.ask(
            what, lambda: self._arm.send("PATCH", path, json={"properties": {"weight": weight}})
        )
        until = time.monotonic() + self._patience_s
        while (now := self._calls.ask(what, lambda: self._properties(path)))[
            "provisioningState"
        ] != "Succeeded" or now["weight"] != weight:
            if now["provisioningState"] == "Failed" or time.monotonic() > until:
                raise EndpointError(
                    f"Front Door {self._profile} has not set the weight of {origin} to {weight}; "
                    f"look at the origin in Azure's portal, and run this again."
                )
            time.sleep(self._poll_s)

    def _properties(self, path: str) -> dict[str, Any]:
        properties: dict[str, Any] = self._arm.send("GET", path).json()["properties"]
        return properties


def _origin(properties: Mapping[str, Any]) -> Origin:
    return Origin(properties["weight"], enabled=properties["enabledState"] == "Enabled")
