"""The autoscale settings of deployments, which belong to Azure Monitor; azure-ai-ml does not know
them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from mlops.rollout.azure_calls import AzureCalls, NotThere
from mlops.rollout.resource_manager import ResourceManager

API_VERSION = "2022-10-01"
ROLE = "Contributor on the resource group"

Setting = dict[str, Any]
"""As Azure Resource Manager returns it."""


class AzureAutoscale:
    """The autoscale settings of one endpoint's deployments, in the workspace's resource group."""

    def __init__(
        self,
        calls: AzureCalls,
        arm: ResourceManager,
        *,
        subscription: str,
        resource_group: str,
        workspace: str,
        endpoint: str,
    ) -> None:
        group = f"/subscriptions/{subscription}/resourceGroups/{resource_group}/providers"
        self._calls = calls
        self._arm = arm
        self._endpoint = endpoint
        self._settings = f"{group}/Microsoft.Insights/autoscaleSettings"
        self._deployments = (
            f"{group}/Microsoft.MachineLearningServices/workspaces/{workspace}"
            f"/onlineEndpoints/{endpoint}/deployments"
        )

    def of(self, deployment: str) -> Setting | None:
        """Return the setting whose target is the deployment, or None. Raises EndpointError."""
        target = self._id(deployment)
        every = f"{self._settings}?api-version={API_VERSION}"
        settings = self._calls.ask(
            f"look up the autoscale setting of {deployment}",
            lambda: list(self._arm.every(every)),
        )
        return next(
            (one for one in settings if _same(one["properties"].get("targetResourceUri"), target)),
            None,
        )

    def give(self, deployment: str, setting: Setting, at_least: int = 0) -> None:
        """Create or replace the deployment's setting by a copy of another deployment's.

        ``at_least``: instances that the minimum is raised to, within the maximum. Raises
        EndpointError.
        """
        before = self.of(deployment)
        name = before["name"] if before else f"{self._endpoint}-{deployment}"
        source = setting["properties"]["targetResourceUri"]
        properties = _replaced(setting["properties"], source, self._id(deployment))
        for profile in properties["profiles"]:
            profile["capacity"] = _raised(profile["capacity"], at_least)
        body = {
            "location": setting["location"],
            "tags": setting.get("tags") or {},
            "properties": {**properties, "name": name},
        }
        self._calls.ask(
            f"give {deployment} its autoscale setting",
            lambda: self._arm.send("PUT", self._path(name), json=body),
        )

    def remove(self, deployment: str) -> None:
        """Delete the deployment's setting, if it has one. Raises EndpointError."""
        if setting := self.of(deployment):
            with suppress(NotThere):
                self._calls.ask(
                    f"remove the autoscale setting of {deployment}",
                    lambda: self._arm.send("DELETE", self._path(setting["name"])),
                )

    def _id(self, deployment: str) -> str:
        return f"{self._deployments}/{deployment}"

    def _path(self, name: str) -> str:
        return f"{self._settings}/{name}?api-version={API_VERSION}"


def _same(one: str | None, other: str) -> bool:
    """True if two ids name one resource: Azure does not keep their case."""
    return one is not None and one.lower() == other.lower()


def _replaced(value: Any, old: str, new: str) -> Any:
    """Return a copy of ``value`` with the id ``old`` replaced everywhere."""
    if isinstance(value, dict):
        return {key: _replaced(inner, old, new) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, old, new) for inner in value]
    return new if isinstance(value, str) and _same(value, old) else value


def _raised(capacity: dict[str, str], at_least: int) -> dict[str, str]:
    """Raise the minimum to ``at_least``. Azure writes numbers of instances as text."""
    least = min(at_least, int(capacity["maximum"]))
    return {
        **capacity,
        **{key: str(max(int(capacity[key]), least)) for key in ("minimum", "default")},
    }
