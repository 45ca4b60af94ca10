"""A deployment is created from its file, looked at, and deleted."""

from __future__ import annotations

import pytest

from arm.https import Reply
from arm.resource_manager import GROUP, PREFIX, SUBSCRIPTION, WORKSPACE
from arm.setting import BLUE, DEPLOYMENT, ENDPOINT, LOG_WORKSPACE, Setting, refusal
from mlops.endpoint import Endpoint, State, Traffic, direct
from mlops.rollout.azure_endpoint import connect


def test_it_is_an_endpoint(here: Setting):
    """Whatever takes the one takes the other."""
    endpoint: Endpoint = here.endpoint
    assert endpoint.name == "credit"


def test_connecting_asks_nobody():
    """Whoever is signed in is found out when the first call needs it."""
    names = {"subscription": SUBSCRIPTION, "resource_group": GROUP, "workspace": WORKSPACE}
    assert connect("credit", {}, **names, log_workspace=LOG_WORKSPACE).name == "credit"


def test_an_endpoint_is_created_from_its_file(here: Setting):
    """It has the name that was given, and no traffic."""
    (sent,) = here.server.sent("PUT", ENDPOINT)
    assert sent.path == PREFIX + ENDPOINT
    assert sent.query == {"api-version": "2022-02-01-preview"}
    assert sent.headers["authorization"].startswith("Bearer entra-token")
    assert sent.document["properties"]["authMode"] == "Key"
    assert (here.endpoint.traffic(), here.endpoint.deployments()) == (Traffic({}), {})


def test_a_deployment_is_created_from_its_file(here: Setting):
    """It has no traffic, and is ready when deploy returns."""
    here.endpoint.deploy("blue")
    assert here.endpoint.deployments() == {"blue": State.READY}
    assert here.endpoint.traffic() == Traffic({})
    (sent,) = here.server.sent("PUT", BLUE)
    properties = sent.document["properties"]
    assert sent.query == {"api-version": "2023-04-01-preview"}
    assert properties["model"] == f"{PREFIX}/models/diabetes/versions/7"
    assert properties["environmentId"] == f"{PREFIX}/environments/scoring/versions/2"
    assert properties["codeConfiguration"] == {
        "codeId": f"{PREFIX}/codes/source/versions/3",
        "scoringScript": "score.py",
    }
    assert properties["environmentVariables"] == {"MODEL_VERSION": "v7"}
    assert properties["requestSettings"]["requestTimeout"] == "PT5S"
    assert sent.document["sku"]["capacity"] == 3


SCRIPT = b"def init(): ...\ndef run(data): ...\n"


def test_code_beside_the_file_is_uploaded(here: Setting, monkeypatch: pytest.MonkeyPatch):
    """An environment in the file is registered; azure-ai-ml does both."""
    monkeypatch.setenv(
        "REQUESTS_CA_BUNDLE", str(here.folder / "authority.pem")
    )  # the storage's client has no option
    (here.folder / "source").mkdir()
    (here.folder / "source" / "score.py").write_bytes(SCRIPT)
    text = DEPLOYMENT.replace('"azureml:source:3"', "source").replace(
        "azureml:scoring:2", "{image: our.io/scoring:2}"
    )
    (here.folder / "blue.yml").write_text(text)
    here.endpoint.deploy("blue")
    properties, assets = here.put(BLUE)["properties"], here.azure.workspace.assets
    code = properties["codeConfiguration"]["codeId"].removeprefix(PREFIX)
    environment = properties["environmentId"].removeprefix(PREFIX)
    assert assets.blobs == {"/blobs/container/source/score.py": SCRIPT}
    assert assets.versions[code]["properties"]["codeUri"].endswith("/blobs/container/source")
    assert assets.versions[environment]["properties"]["image"] == "our.io/scoring:2"


def test_deploying_again_updates(here: Setting):
    """What was sent before is replaced."""
    here.endpoint.deploy("blue")
    (here.folder / "blue.yml").write_text(DEPLOYMENT.replace("diabetes:7", "diabetes:8"))
    here.endpoint.deploy("blue")
    assert here.put(BLUE)["properties"]["model"].endswith("/diabetes/versions/8")
    assert here.endpoint.deployments() == {"blue": State.READY}


def test_a_deployment_that_is_under_way_is_creating(here: Setting):
    """It does not matter who has started it."""
    here.endpoint.deploy("blue")
    deployment = here.azure.workspace.deployments["credit"]["blue"]["properties"]
    for state, expected in {
        "Creating": State.CREATING,
        "Updating": State.CREATING,
        "Canceled": State.FAILED,
    }.items():
        deployment["provisioningState"] = state
        assert here.endpoint.deployments() == {"blue": expected}
    deployment["provisioningState"] = "Deleting"
    assert here.endpoint.deployments() == {}


def test_a_deployment_may_be_tried_again_after_it_failed(here: Setting):
    """Its old reason is forgotten."""
    here.azure.workspace.failing["blue"] = {"code": "ResourceNotReady", "message": "crashed"}
    here.endpoint.deploy("blue")
    here.azure.workspace.failing.clear()
    here.endpoint.deploy("blue")
    assert here.endpoint.deployments() == {"blue": State.READY}
    assert here.endpoint.logs("blue") == ""


def test_what_takes_traffic_is_not_deployed_over(here: Setting):
    """A rollout must never change what clients are served by."""
    here.endpoint.deploy("blue")
    direct(here.endpoint, Traffic({"blue": 100}))
    assert "set its share to 0" in refusal(lambda: here.endpoint.deploy("blue"))
    assert len(here.server.sent("PUT", BLUE)) == 1


def test_a_deployment_without_a_file_is_refused(here: Setting):
    """The sentence names those that have one."""
    assert "blue, green" in refusal(lambda: here.endpoint.deploy("red"))


@pytest.mark.parametrize("text", ["", "name: [", "name: blue\ncolour: blue\n", "- 1\n"])
def test_a_file_that_is_wrong_is_named(here: Setting, text: str):
    """Nothing is sent."""
    (here.folder / "blue.yml").write_text(text)
    assert str(here.folder / "blue.yml") in refusal(lambda: here.endpoint.deploy("blue"))
    assert here.server.sent("PUT", BLUE) == []


def test_a_deployment_is_deleted(here: Setting):
    """It is gone when delete returns; deleting it again does nothing."""
    here.endpoint.deploy("blue")
    here.endpoint.delete("blue")
    assert here.endpoint.deployments() == {}
    here.endpoint.delete("blue")
    here.server.fail(
        1, Reply(404, {"error": {"code": "NotFound", "message": "Gone."}}), "DELETE", BLUE
    )
    here.endpoint.delete("blue")
    assert [sent.query for sent in here.server.sent("DELETE", BLUE)] == [
        {"api-version": "2023-04-01-preview"}
    ] * 3


def test_a_deployment_with_live_traffic_is_not_deleted(here: Setting):
    """Azure refuses, and the sentence says why."""
    here.endpoint.deploy("blue")
    direct(here.endpoint, Traffic({"blue": 100}))
    assert "has live traffic" in refusal(lambda: here.endpoint.delete("blue"))
    assert here.endpoint.deployments() == {"blue": State.READY}
