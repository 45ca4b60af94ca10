"""The Azure ML workspace: its online endpoints and deployments, with Azure Resource Manager's rules
and answers."""

from __future__ import annotations

import re

from arm.assets import Assets
from arm.https import Reply, Request
from arm.models import Models
from arm.online_deployments import OnlineDeployments
from arm.online_endpoints import OnlineEndpoints
from arm.operations import Operations
from arm.resource_manager import GROUP, PREFIX, WORKSPACE, Refusal


class Workspace:
    """Everything is kept in memory."""

    def __init__(self) -> None:
        self.assets = Assets()
        self.models = Models()
        self.models.prefix = PREFIX
        self.operations = Operations()
        self.online = OnlineEndpoints(self.operations)
        self.endpoints, self.deployments = self.online.endpoints, self.online.deployments
        self._deployments = OnlineDeployments(self.online, self.operations)
        self.failing, self.console = self._deployments.failing, self._deployments.console

    def __call__(self, request: Request) -> Reply:
        """The answer to a request below /subscriptions."""
        self.operations.go_on()
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
            return self.operations.status(request.path.removeprefix("/operations/"))
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
            (r"/onlineEndpoints/([^/]+)", self.online.endpoint),
            (r"/onlineEndpoints/([^/]+)/(listKeys|token)", self.online.credentials),
            (r"/onlineEndpoints/([^/]+)/deployments", self._deployments.list),
            (r"/onlineEndpoints/([^/]+)/deployments/([^/]+)", self._deployments.deployment),
            (r"/onlineEndpoints/([^/]+)/deployments/([^/]+)/getLogs", self._deployments.logs),
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
