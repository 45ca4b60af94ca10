"""What is read back from Azure: the logs of containers, and the traffic log that a rollout is
judged by."""

from __future__ import annotations

from datetime import UTC, datetime

from arm.https import Reply
from arm.resource_manager import WORKSPACE
from arm.setting import LOG_WORKSPACE, Setting, refusal
from mlops.endpoint import State
from mlops.traffic_blocks import BLOCK_S, latency_bins


def test_a_deployment_that_fails_is_told_with_its_reason_and_logs(here: Setting):
    """Azure's own words come first, then what both containers wrote."""
    here.azure.workspace.failing["blue"] = {
        "code": "ResourceNotReady",
        "message": "User container has crashed.",
    }
    here.azure.workspace.console["blue"] = {
        "StorageInitializer": "Downloaded.\n",
        "InferenceServer": "one\ntwo\n",
    }
    here.endpoint.deploy("blue")
    assert here.endpoint.deployments() == {"blue": State.FAILED}
    reason, *lines = here.endpoint.logs("blue").splitlines()
    assert "User container has crashed" in reason
    assert lines == ["Downloaded.", "one", "two"]
    assert {sent.document["tail"] for sent in here.server.sent("POST", "/getLogs")} == {100}


def test_the_reason_is_told_where_there_are_no_logs(here: Setting):
    """A container that never started has none."""
    here.azure.workspace.failing["blue"] = {
        "code": "OutOfQuota",
        "message": "Not enough quota for Standard_D4as_v4.",
    }
    here.endpoint.deploy("blue")
    here.server.fail(
        2,
        Reply(400, {"error": {"code": "BadRequest", "message": "No container."}}),
        "POST",
        "/getLogs",
    )
    assert "take a smaller instance_type or fewer instances" in here.endpoint.logs("blue")


def test_the_log_of_one_container_is_enough(here: Setting):
    """A deployment without a model has nothing to fetch, so its other container alone writes."""
    here.endpoint.deploy("blue")
    here.azure.workspace.console["blue"] = {"InferenceServer": "one\n"}
    here.server.fail(
        1, Reply(400, {"error": {"code": "BadRequest", "message": "None."}}), "POST", "/getLogs"
    )
    assert here.endpoint.logs("blue") == "one"


def test_the_logs_of_what_is_not_there_are_refused(here: Setting):
    """The command does not return empty logs."""
    assert "was not found" in refusal(lambda: here.endpoint.logs("red"))


def row(second: int, **columns: object) -> dict[str, object]:
    """Make a row of the traffic log, in which codes are text."""
    usual = {
        "TimeGenerated": datetime.fromtimestamp(1_700_000_000 + second, UTC).isoformat(),
        "AzureMLWorkspaceName": WORKSPACE,
        "EndpointName": "credit",
        "DeploymentName": "blue",
        "ResponseCode": "200",
        "ModelStatusCode": "200",
        "TotalDurationMs": 12.5,
    }
    return usual | columns


def test_blocks_are_this_endpoints_since_then(here: Setting):
    """They count clients' requests by the model's own status; ours are left out."""
    here.azure.logs.rows = [
        row(-1),
        row(0, EndpointName="other"),
        row(1, AzureMLWorkspaceName="other"),
        row(2, DeploymentName="", ResponseCode="401"),
        row(3, EndpointName="Credit"),
        row(4, DeploymentName="green", ResponseCode="424", ModelStatusCode="422"),
        row(5, ResponseCode="424", ModelStatusCode=""),
        row(6, ResponseCode="408", ModelStatusCode="", TotalDurationMs=5000.0),
        row(7, ResponseCode="", ModelStatusCode="", TotalDurationMs=None),
        row(8, XMSClientRequestId="mlops-rollout-1"),
        row(BLOCK_S),
    ]
    start = 1_700_000_000 // BLOCK_S * BLOCK_S
    (place,) = latency_bins([12.5]).tolist()
    blocks = {(block.at, block.deployment): block for block in here.endpoint.blocks(1_700_000_000)}
    assert sum(block.requests for block in blocks.values()) == 6
    assert sum(block.failed for block in blocks.values()) == 3
    green = [block for (_, name), block in blocks.items() if name == "green"]
    assert [(block.requests, block.refused, block.latencies) for block in green] == [(1, 1, ())]
    last = blocks[start + BLOCK_S, "blue"]
    assert (last.requests >= 1, last.latencies) == (True, ((place, 1),))
    (sent,) = here.server.sent("POST", "/query")
    assert sent.path == f"/v1/workspaces/{LOG_WORKSPACE}/query"
    assert sent.document["timespan"].startswith("2023-11-14T22:13:20")


def test_blocks_that_are_not_all_there_are_refused(here: Setting):
    """A judgement on a part of them would be wrong."""
    here.azure.logs.complete = False
    assert "ask for a shorter time" in refusal(lambda: here.endpoint.blocks(1_700_000_000))


def test_a_log_that_can_not_be_read_is_told(here: Setting):
    """The error has Azure's words."""
    said = {"error": {"code": "InsufficientAccessError", "message": "No access to the workspace."}}
    here.server.fail(1, Reply(403, said), "POST", "/query")
    message = refusal(lambda: here.endpoint.blocks(1_700_000_000))
    assert message.startswith("Can't read the traffic log of credit: No access to the workspace")
