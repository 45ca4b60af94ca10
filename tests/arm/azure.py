"""All of it behind one address, and the real clients that talk to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trustme

from arm.autoscale import Autoscale
from arm.front_door import FrontDoorOrigins
from arm.https import HttpsServer, Reply, Request, serving
from arm.log_analytics import LogAnalytics
from arm.models import ACCOUNT
from arm.scoring import Model, Scoring
from arm.workspace import Workspace


class Credential:
    """Gives tokens that name what they are for."""

    def get_token(self, *scopes: str, **_: Any) -> Any:
        from azure.core.credentials import AccessToken

        return AccessToken(f"entra-token for {scopes[0]}", 4_000_000_000)


class Azure:
    """``requests`` holds all that was sent. ``fail`` schedules faults. ``models`` answer by
    deployment."""

    def __init__(self, authority: trustme.CA) -> None:
        self.workspace = Workspace()
        self.logs = LogAnalytics()
        self.autoscale = Autoscale()
        self.front_door = FrontDoorOrigins()
        self.models: dict[str, Model] = {}
        self._scoring = Scoring(self.workspace, self.models)

    def __call__(self, request: Request) -> Reply:
        if request.headers.get("host", "").startswith(f"{ACCOUNT}.blob."):
            return self.workspace.models.storage(request)
        if request.path.startswith("/v1/workspaces/"):
            return self.logs(request)
        if request.path.startswith("/blobs/"):
            return self.workspace.assets.storage(request)
        if request.path.startswith("/endpoints/"):
            return self._scoring(request)
        if "/providers/microsoft.insights/" in request.path.lower():
            return self.autoscale(request)
        if "/providers/microsoft.cdn/" in request.path.lower():
            return self.front_door(request)
        return self.workspace(request)


@contextmanager
def azure(authority: trustme.CA, *names: str) -> Iterator[tuple[Azure, HttpsServer]]:
    """``names``: which hosts it answers for, beside localhost."""
    cloud = Azure(authority)
    with serving(cloud, authority, *names) as server:
        cloud.workspace.operations.url = cloud.workspace.assets.url = cloud.workspace.models.url = (
            server.url
        )
        cloud.autoscale.url = cloud.front_door.url = server.url
        yield cloud, server


def cloud_options(url: str) -> dict[str, Any]:
    """What MLClient needs to take ``url`` for Azure, and not to wait between attempts."""
    return {
        "cloud": url,
        "cloud_metadata": {
            "resource_manager": f"{url}/",
            "azure_portal": url,
            "active_directory": url,
            "aml_resource_id": url,
            "storage_endpoint": "localhost",
            "registry_discovery_endpoint": url,
        },
        "retry_backoff_factor": 0,
        "polling_interval": 0.001,
        "enable_telemetry": False,
    }
