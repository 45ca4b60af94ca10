"""A stand-in for Azure that a pipeline's commands reach by Azure's own names, with an endpoint that
serves a model."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib
import trustme

from arm.azure import Azure, azure
from arm.https import HttpsServer, Reply, Request
from arm.proxy import proxy
from arm.resource_manager import PREFIX, SUBSCRIPTION, WORKSPACE
from arm.sign_in import ENTRA, GITHUB, SignIn
from azureml_scoring.errors import ClientError
from azureml_scoring.models import loading as models
from azureml_scoring.models.golden_check import NO_LIMITS
from azureml_scoring.settings import Settings
from validation import validate

SHIMS = Path(__file__).parent
HOSTS = (
    "management.azure.com",
    "api.loganalytics.io",
    "*.blob.core.windows.net",
    "*.api.azureml.ms",
    ENTRA,
    GITHUB,
)
SKU = {"name": "Default", "capacity": 3}
TOKEN = {"authorization": "Bearer of whoever set it up"}


@dataclass
class Cloud:
    """``name``: of the endpoint, and of its model. ``watch`` is told of each traffic before it is
    set."""

    azure: Azure
    server: HttpsServer
    name: str
    surroundings: Mapping[str, str]
    watch: Callable[[dict[str, int]], None] = lambda live: None
    sign_in: SignIn = field(default_factory=SignIn)

    @property
    def deployments(self) -> dict[str, Any]:
        return {
            name: one["properties"]
            for name, one in self.azure.workspace.deployments[self.name].items()
        }

    @property
    def live(self) -> dict[str, int]:
        traffic: dict[str, int] = (
            self.azure.workspace.endpoints[self.name]["properties"].get("traffic") or {}
        )
        return {name: share for name, share in traffic.items() if share}

    def registered(self, version: str) -> dict[str, bytes]:
        """The files of a version of the model, as they were uploaded."""
        return self.azure.workspace.models.files(self.name, version)

    def __call__(self, request: Request) -> Reply:
        if request.headers.get("host", "").startswith((ENTRA, GITHUB)):
            return self.sign_in(request)
        if request.path.endswith("/query"):
            self._write_traffic_log()
        if request.method == "PUT" and request.path.endswith(f"/onlineEndpoints/{self.name}"):
            self.watch(request.document["properties"].get("traffic") or {})
        return self.azure(request)

    def _write_traffic_log(self) -> None:
        """Two hundred requests to each deployment with traffic, whenever somebody looks, in place
        of clients."""
        properties = self.azure.workspace.endpoints[self.name]["properties"]
        for deployment in {**self.live, **(properties.get("mirrorTraffic") or {})}:
            self.azure.logs.rows += [
                _logged(self.name, deployment, 20.0 + number % 10) for number in range(200)
            ]

    def serve(self, model_version: int) -> None:
        """An endpoint with all traffic on blue."""
        path = f"{PREFIX}/onlineEndpoints/{self.name}"
        model = {
            "model": f"{PREFIX}/models/{self.name}/versions/{model_version}",
            "endpointComputeType": "Managed",
        }
        closed, opened = (
            {"authMode": "AADToken", "traffic": traffic} for traffic in ({}, {"blue": 100})
        )
        for place, properties in (
            (path, closed),
            (f"{path}/deployments/blue", model),
            (path, opened),
            (path, opened),
        ):
            body = json.dumps(
                {"location": "westeurope", "sku": SKU, "properties": properties}
            ).encode()
            while (
                said := self.azure.workspace(Request("PUT", place, {}, TOKEN, body))
            ).status == 409:
                pass
            assert said.status in (200, 201), said.body


@contextmanager
def cloud(name: str, model_dir: Path, folder: Path) -> Iterator[Cloud]:
    """``folder``: for what the commands must be given to trust it, and for their home."""
    authority = trustme.CA()
    certificates = folder / "authority.pem"
    authority.cert_pem.write_to_path(certificates)
    with azure(authority, *HOSTS) as (there, server), proxy(server.port) as address:
        surroundings = {
            "PATH": f"{SHIMS}:{os.environ['PATH']}",
            "HOME": str(folder),
            # Else each home gets a list of all fonts, which takes seconds to make.
            "MPLCONFIGDIR": matplotlib.get_cachedir(),
            "HTTPS_PROXY": address,
            "REQUESTS_CA_BUNDLE": str(certificates),
            "SSL_CERT_FILE": str(certificates),
            # Else others wait for a machine of Azure's to answer.
            "AZURE_TOKEN_CREDENTIALS": "AzureCliCredential",
            "AZ_PYTHON": sys.executable,
            "AZ_SUBSCRIPTION": SUBSCRIPTION,
        }
        made = Cloud(there, server, name, surroundings)
        server.application = made
        there.models.update(dict.fromkeys(("blue", "green"), _answering(model_dir)))
        made.serve(1)
        yield made


def _answering(model_dir: Path) -> Callable[[Request], Reply]:
    loaded = models.load(Settings(azureml_model_dir=model_dir))

    def answer(request: Request) -> Reply:
        try:
            return Reply(
                200,
                {"predictions": loaded.predict(validate(request.body, loaded.contract, NO_LIMITS))},
            )
        except ClientError as error:
            return Reply(error.status, {"error": error.message})

    return answer


def _logged(endpoint: str, deployment: str, milliseconds: float) -> dict[str, Any]:
    return {
        "TimeGenerated": datetime.now(UTC).isoformat(),
        "AzureMLWorkspaceName": WORKSPACE,
        "EndpointName": endpoint,
        "DeploymentName": deployment,
        "ResponseCode": "200",
        "ModelStatusCode": "200",
        "TotalDurationMs": milliseconds,
    }
