"""The roles of ``infrastructure/deployers.tf``: they cover the calls to Azure, and only the right
identities have them."""

from __future__ import annotations

import fnmatch
import re
import ssl
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from arm.autoscale import SETTINGS, setting
from arm.azure import Credential, azure, cloud_options
from arm.https import HttpsServer, Reply, Request
from arm.resource_manager import GROUP, PREFIX, SUBSCRIPTION, WORKSPACE
from deploy.checkout import REPOSITORY
from terraform.module import INFRASTRUCTURE, Module

MODULE = Module(INFRASTRUCTURE)
VERBS = {"GET": "read", "PUT": "write", "DELETE": "delete"}
STORE = {
    "id": f"{PREFIX}/datastores/workspaceblobstore",
    "name": "workspaceblobstore",
    "properties": {
        "datastoreType": "AzureBlob",
        "accountName": "store",
        "containerName": "models",
        "endpoint": "localhost",
        "protocol": "https",
        "isDefault": True,
        "credentials": {"credentialsType": "None"},
    },
}
"""Of a workspace whose storage takes no keys: storage_account_access_type is Identity."""


def allowed(role: str) -> list[str]:
    (permissions,) = MODULE.blocks()[f"azurerm_role_definition.{role}"].body["permissions"]
    actions: list[str] = permissions["actions"]
    return actions


def action(request: Request) -> str:
    """Return the right that Azure Resource Manager demands: the resource's type without its names,
    and a verb."""
    provider, _, rest = request.path.partition("/providers/")[2].partition("/")
    return "/".join([provider, *rest.split("/")[0::2], VERBS[request.method]])


def refused(requests: Sequence[Request], role: str) -> list[str]:
    actions = [one.lower() for one in allowed(role)]
    return [
        one
        for one in map(action, requests)
        if not any(fnmatch.fnmatch(one.lower(), pattern) for pattern in actions)
    ]


def registry(others: Callable[[Request], Reply]) -> Callable[[Request], Reply]:
    """A workspace with a datastore that accepts models."""

    def answer(request: Request) -> Reply:
        path = request.path.removeprefix(PREFIX)
        if path == "/datastores/workspaceblobstore":
            return Reply(200, STORE)
        if path.startswith("/models/") and request.method == "PUT":
            held = {
                "description": "",
                "flavors": {},
                "tags": {},
                "properties": {},
                **request.document["properties"],
            }
            return Reply(201, {"id": request.path, "name": "1", "properties": held})
        return others(request)

    return answer


class UploadBegins(Exception):
    """Raised where the upload begins: from here on the storage, with a role of its own, is
    called."""


def uploads(*_: Any, **__: Any) -> None:
    raise UploadBegins


@contextmanager
def client(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any, HttpsServer]]:
    """Yield a transport that trusts the server, the cloud behind it, and the server."""
    from azure.core.pipeline.transport import RequestsTransport

    monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "AzureCloud")  # MLClient leaves its cloud there
    authority = trustme.CA()
    certificates = folder / "authority.pem"
    authority.cert_pem.write_to_path(certificates)
    assert ssl.create_default_context(cafile=str(certificates))
    with (
        azure(authority) as (cloud, server),
        RequestsTransport(connection_verify=str(certificates)) as transport,
    ):
        yield transport, cloud, server


@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")  # of azure-core
@pytest.mark.parametrize(
    "path", ["artifact", "azureml://datastores/workspaceblobstore/paths/artifact"]
)
def test_the_job_that_registers_may_do_what_registering_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
):
    """It may begin a folder's upload and make a version of the model of it; nothing else is
    called."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from azure.ai.ml import MLClient, load_model

        (tmp_path / "artifact").mkdir()
        (tmp_path / "artifact" / "model.joblib").write_bytes(b"model")
        file = tmp_path / "model.yml"
        file.write_text(
            f"name: diabetes-classifier\nversion: '1'\ntype: custom_model\npath: {path}\n"
        )
        with client(tmp_path, monkeypatch) as (transport, _, server):
            server.application = registry(server.application)
            ml = MLClient(
                Credential(),
                SUBSCRIPTION,
                GROUP,
                WORKSPACE,
                **cloud_options(server.url),
                transport=transport,
            )
            if path == "artifact":
                monkeypatch.setattr(
                    "azure.ai.ml._artifacts._artifact_utilities.get_storage_client", uploads
                )
                with pytest.raises(UploadBegins):
                    ml.models.create_or_update(load_model(file))
            else:
                ml.models.create_or_update(load_model(file))
                assert server.sent("PUT")
            sent = [one for one in server.requests if one.path.startswith(PREFIX)]
            assert len(sent) >= 2
            assert refused(sent, "registrar") == []


@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")  # of azure-core
def test_a_rollout_may_hand_autoscale_settings_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It may read a setting, give it to another deployment, and delete it."""
    from mlops.rollout.azure_autoscale import AzureAutoscale
    from mlops.rollout.azure_calls import AzureCalls
    from mlops.rollout.resource_manager import ResourceManager

    with client(tmp_path, monkeypatch) as (transport, cloud, server):
        cloud.autoscale.settings["credit-blue"] = setting("credit-blue", "blue")
        calls: Any = AzureCalls(None, "credit", 60)  # type: ignore[arg-type]
        names = {
            "subscription": SUBSCRIPTION,
            "resource_group": GROUP,
            "workspace": WORKSPACE,
            "endpoint": "credit",
        }
        arm = ResourceManager(Credential(), server.url, transport=transport)
        autoscale = AzureAutoscale(calls, arm, **names)
        found = autoscale.of("blue")
        assert found
        autoscale.give("green", found)
        autoscale.remove("green")
        assert {one.method for one in server.requests} == {"GET", "PUT", "DELETE"}
        assert all(one.path.startswith(SETTINGS) for one in server.requests)
        assert refused(server.requests, "autoscaler") == []


def test_the_job_that_registers_can_not_deploy():
    """Otherwise it could bypass the approval of production."""
    asked = Request("PUT", f"{PREFIX}/onlineEndpoints/credit/deployments/green", {}, {}, b"")
    assert refused([asked], "registrar") == [
        "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/write"
    ]
    assert set(MODULE.locals()["job_roles"]["register"]) == {"registrar", "uploads"}


def test_each_job_acts_as_the_identity_of_its_environment():
    """Both pipelines do, and Terraform federates just these."""
    jobs = MODULE.locals()["job_roles"].keys() - {"__is_block__"}
    workflow = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "deploy.yml").read_text())
    assert {job["environment"] for job in workflow["jobs"].values() if "environment" in job} == jobs
    pipeline = (REPOSITORY / "azure-pipelines.yml").read_text()
    stages = dict(
        zip(
            ("package", "test", "register", "production"),
            pipeline.split("- stage: ")[1:],
            strict=True,
        )
    )
    for job in jobs:
        assert set(re.findall(r"azureSubscription: (\S+)", stages[job])) == {job}


def test_what_the_pipelines_read_is_an_output():
    """Each GitHub variable has an output of its name; a signing key's vault is the team's own."""
    text = (REPOSITORY / ".github" / "workflows" / "deploy.yml").read_text()
    read = set(re.findall(r"vars\.(\w+)", text)) - {"AZURE_CLIENT_ID", "SIGNING_VAULT"}
    assert MODULE.outputs()["pipeline_variables"]["value"].keys() - {"__is_block__"} == read
    assert "pipeline_client_ids" in MODULE.outputs()
