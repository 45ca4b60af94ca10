"""An endpoint for tests to ask of Azure by its clients, and how a refusal is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from arm.azure import Azure
from arm.https import HttpsServer
from mlops.endpoint import EndpointError
from mlops.rollout.azure_endpoint import AzureEndpoint
from mlops.rollout.azure_front_door import AzureFrontDoor
from mlops.rollout.azure_models import AzureModels

LOG_WORKSPACE = "00000000-0000-0000-0000-00000000000a"
ENDPOINT = "/onlineEndpoints/credit"
BLUE = f"{ENDPOINT}/deployments/blue"
GREEN = f"{ENDPOINT}/deployments/green"
DEPLOYMENT = """
name: any
endpoint_name: any
model: azureml:diabetes:7
environment: azureml:scoring:2
code_configuration: {code: "azureml:source:3", scoring_script: score.py}
instance_type: Standard_D4as_v4
instance_count: 3
environment_variables: {MODEL_VERSION: v7}
request_settings: {request_timeout_ms: 5000, max_concurrent_requests_per_instance: 4}
"""


class Setting(SimpleNamespace):
    """``endpoint`` over the clients that users have, ``azure`` with its state, ``server`` with what
    was sent."""

    azure: Azure
    server: HttpsServer
    endpoint: AzureEndpoint
    another: Callable[..., AzureEndpoint]
    models: Callable[..., AzureModels]
    front_door: Callable[..., AzureFrontDoor]
    folder: Path

    def put(self, path: str) -> Any:
        """The body of the last PUT to it."""
        return self.server.sent("PUT", path)[-1].document


def create(here: Setting, text: str) -> None:
    file = here.folder / "endpoint.yml"
    file.write_text(f"name: any\n{text}\n")
    here.endpoint.create(file)


def both(here: Setting) -> None:
    for name in ("blue", "green"):
        here.endpoint.deploy(name)


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(EndpointError) as caught:
        call()
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    return message
