"""The endpoint that Terraform makes is that of endpoints/online-endpoint.yml."""

import ssl
import warnings
from pathlib import Path
from typing import Any

import pytest
import trustme

from arm.azure import Credential, azure, cloud_options
from arm.resource_manager import GROUP, SUBSCRIPTION, WORKSPACE
from deploy.checkout import REPOSITORY
from terraform.module import INFRASTRUCTURE, Module

MODULE = Module(INFRASTRUCTURE)
BLOCKS = MODULE.blocks()
ENDPOINT = BLOCKS["azapi_resource.endpoint"].body


def sent_by_azure_ai_ml(folder: Path, file: Path) -> dict[str, Any]:
    """Return what azure-ai-ml sends to Azure for an endpoint's YAML."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from azure.ai.ml import MLClient, load_online_endpoint
        from azure.core.pipeline.transport import RequestsTransport

        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "authority.pem")
        assert ssl.create_default_context(cafile=str(folder / "authority.pem"))
        with (
            azure(authority) as (_, server),
            RequestsTransport(connection_verify=str(folder / "authority.pem")) as transport,
        ):
            client = MLClient(
                Credential(),
                SUBSCRIPTION,
                GROUP,
                WORKSPACE,
                **cloud_options(server.url),
                transport=transport,
            )
            client.online_endpoints.begin_create_or_update(load_online_endpoint(file)).result()
            (request,) = [one for one in server.sent("PUT") if "/onlineEndpoints/" in one.path]
    return {"name": request.path.rpartition("/")[2], **request.document}


@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")  # of azure-core
def test_the_endpoint_is_that_of_the_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """azapi sends what azure-ai-ml sends for endpoints/online-endpoint.yml, so either may create
    it."""
    monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "AzureCloud")  # MLClient leaves its cloud there
    sent = sent_by_azure_ai_ml(tmp_path, REPOSITORY / "endpoints" / "online-endpoint.yml")
    assert {key: value for key, value in sent["properties"].items() if value} == ENDPOINT["body"][
        "properties"
    ]
    assert sent["identity"]["type"].lower() == ENDPOINT["identity"][0]["type"].lower()
    assert sent["name"] == MODULE.variables()["endpoint_name"]["default"]


def test_terraform_leaves_traffic_and_deployments_to_rollouts():
    """An apply never changes deployments or updates the endpoint: azapi would send it without its
    traffic."""
    assert set(ENDPOINT["body"]["properties"]) == {"authMode"}
    given = {name for name in ENDPOINT if not name.startswith("__")} - {"depends_on", "lifecycle"}
    (lifecycle,) = ENDPOINT["lifecycle"]
    assert given - {name.strip("${}") for name in lifecycle["ignore_changes"]} == {
        "name",
        "parent_id",
    }
    assert not any("/deployments@" in block.body.get("type", "") for block in BLOCKS.values())
