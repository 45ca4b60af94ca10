"""An endpoint for each test, over Azure's real clients, with a server here that answers as Azure
does."""

from __future__ import annotations

import gc
import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from azure.ai.ml import MLClient
from azure.core.pipeline.transport import RequestsTransport
from azure.monitor.query import LogsQueryClient

from arm.azure import Credential, azure, cloud_options
from arm.front_door import GROUP as FRONT_DOOR_GROUP
from arm.front_door import PROFILE
from arm.https import Reply, Request
from arm.resource_manager import GROUP, SUBSCRIPTION, WORKSPACE
from arm.setting import DEPLOYMENT, LOG_WORKSPACE, Setting, create
from mlops.endpoint import Traffic, direct
from mlops.rollout.azure_endpoint import AzureEndpoint
from mlops.rollout.azure_front_door import AzureFrontDoor
from mlops.rollout.azure_models import AzureModels
from mlops.rollout.resource_manager import ResourceManager


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(
        pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
    )  # of azure-core


@pytest.fixture(scope="module", autouse=True)
def _sockets_end_here() -> Iterator[None]:
    """Close this module's sockets before a test of another module runs."""
    yield
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def here(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Setting]:
    """An endpoint named credit, with files for blue and green, neither deployed."""
    monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "AzureCloud")  # MLClient leaves its cloud there
    certificates = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(certificates)
    files = {name: tmp_path / f"{name}.yml" for name in ("blue", "green")}
    for file in files.values():
        file.write_text(DEPLOYMENT)
    with (
        azure(authority) as (cloud, server),
        httpx.Client(verify=ssl.create_default_context(cafile=str(certificates))) as http,
        RequestsTransport(connection_verify=str(certificates)) as transport,
    ):

        def client(credential: Any, workspace: str) -> MLClient:
            cloud = cloud_options(server.url)
            return MLClient(
                credential or Credential(),
                SUBSCRIPTION,
                GROUP,
                workspace,
                **cloud,
                transport=transport,
            )

        def another(
            name: str = "credit",
            workspace: str = WORKSPACE,
            credential: Any = None,
            patience_s: float = 60,
            models: dict[str, str] | None = None,
        ) -> AzureEndpoint:
            return AzureEndpoint(
                name,
                files,
                ml=client(credential, workspace),
                queries=LogsQueryClient(Credential(), endpoint=server.url, transport=transport),
                arm=ResourceManager(
                    credential or Credential(),
                    server.url,
                    transport=transport,
                    retry_backoff_factor=0,
                ),
                log_workspace=LOG_WORKSPACE,
                http=http,
                models=models,
                patience_s=patience_s,
            )

        def registry(credential: Any = None, patience_s: float = 60) -> AzureModels:
            return AzureModels(
                client(credential, WORKSPACE), "credit", credential or Credential(), patience_s
            )

        def front_door(credential: Any = None, **options: Any) -> AzureFrontDoor:
            arm = ResourceManager(
                credential or Credential(), server.url, transport=transport, retry_backoff_factor=0
            )
            names = {"resource_group": FRONT_DOOR_GROUP, "profile": PROFILE}
            named = {"subscription": SUBSCRIPTION, "origin_group": "regions", **names}
            return AzureFrontDoor(arm, **{**named, "poll_s": 0.001, **options})

        setting = Setting(
            azure=cloud,
            server=server,
            endpoint=another(),
            another=another,
            models=registry,
            front_door=front_door,
            folder=tmp_path,
        )
        create(setting, "auth_mode: key")
        yield setting


@pytest.fixture
def live(here: Setting) -> Setting:
    """Blue has all traffic and answers 1 to each row."""
    here.endpoint.deploy("blue")
    direct(here.endpoint, Traffic({"blue": 100}))
    here.azure.models.update(blue=_ones, green=_ones)
    here.server.requests.clear()
    return here


def _ones(request: Request) -> Reply:
    rows = request.document["data"] if isinstance(request.document, dict) else [[]]
    return Reply(200, {"predictions": [1] * len(rows)})
