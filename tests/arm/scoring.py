"""A managed endpoint's scoring route: who may ask, who answers, and what becomes of an answer that
is not 200."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from arm.https import Reply, Request
from arm.workspace import Workspace

Model = Callable[[Request], Reply]
ENTRA_AUDIENCE = "https://ml.azure.com/.default"


def as_azure_answers(reply: Reply) -> Reply:
    """Whatever a model answers but 200 reaches the client as 424, with the model's status in a
    header."""
    if reply.status == 200:
        return reply
    hidden = {
        "ms-azureml-model-error-statuscode": str(reply.status),
        "ms-azureml-model-error-reason": "model_error",
    }
    return Reply(424, reply.body, {**reply.headers, **hidden})


class Scoring:
    """``models`` answers by deployment. With live traffic on several, all of it goes to the one
    that has most."""

    def __init__(self, workspace: Workspace, models: Mapping[str, Model]) -> None:
        self._workspace = workspace
        self._models = models

    def __call__(self, request: Request) -> Reply:
        endpoint = self._workspace.endpoints[request.path.split("/")[2]]["properties"]
        secret = {
            "Key": self._workspace.online.keys["primaryKey"],
            "AMLToken": self._workspace.online.token,
            "AADToken": f"entra-token for {ENTRA_AUDIENCE}",
        }[endpoint["authMode"]]
        if request.headers.get("authorization") != f"Bearer {secret}":
            return Reply(401, {"error": "key_auth_access_denied"})
        live = {
            name: percent for name, percent in (endpoint.get("traffic") or {}).items() if percent
        }
        chosen = request.headers.get("azureml-model-deployment") or max(
            live, key=lambda name: live[name], default=None
        )
        if chosen not in self._models:
            return Reply(404, b"")
        return as_azure_answers(self._models[chosen](request))
