"""The real clients of Azure, against a server on this machine that answers as Azure does."""

from __future__ import annotations

import gc
import ssl
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import trustme
from azure.ai.ml import MLClient
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.transport import RequestsTransport
from azure.monitor.query import LogsQueryClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arm.azure import Azure, Credential, azure, cloud_options
from arm.https import DROP, HttpsServer, Reply
from arm.workspace import AT_ONCE, GROUP, PREFIX, SUBSCRIPTION, WORKSPACE
from mlops.rollout.azure_endpoint import AzureEndpoint, connect
from mlops.rollout.controller import Rollout
from mlops.rollout.endpoint import Endpoint, EndpointError, Observation, State, Traffic
from mlops.rollout.journal import Journal, Outcome
from mlops.rollout.judge import Rules
from mlops.rollout.plan import Plan, steps
from mlops.rollout.questions import Questions

LOG_WORKSPACE = "00000000-0000-0000-0000-00000000000a"
ENDPOINT = "/onlineEndpoints/credit"
BLUE = f"{ENDPOINT}/deployments/blue"
GREEN = f"{ENDPOINT}/deployments/green"
BUSY = {"error": {"code": "Conflict", "message": "Another operation is in progress."}}

SCRIPT = b"def init(): ...\ndef run(data): ...\n"
DEPLOYMENT = """
name: any
endpoint_name: any
model: azureml:diabetes:7
environment: azureml:scoring:2
code_configuration: {code: "azureml:source:3", scoring_script: score.py}
instance_type: Standard_DS3_v2
instance_count: 3
environment_variables: {MODEL_VERSION: v7}
request_settings: {request_timeout_ms: 5000, max_concurrent_requests_per_instance: 4}
"""


pytestmark = pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")  # of azure-core


@pytest.fixture(scope="module", autouse=True)
def _sockets_end_here() -> Iterator[None]:
    """Not while a test of another module runs."""
    yield
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()


class Setting(SimpleNamespace):
    """``endpoint`` over the clients that users have, ``azure`` with its state, ``server`` with what was sent."""

    azure: Azure
    server: HttpsServer
    endpoint: AzureEndpoint
    another: Callable[..., AzureEndpoint]
    folder: Path

    def put(self, path: str) -> Any:
        """The body of the last PUT to it."""
        return self.server.sent("PUT", path)[-1].document


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def here(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Setting]:
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

        def another(
            name: str = "credit", workspace: str = WORKSPACE, credential: Any = None, patience_s: float = 60
        ) -> AzureEndpoint:
            return AzureEndpoint(
                name,
                files,
                ml=MLClient(
                    credential or Credential(),
                    SUBSCRIPTION,
                    GROUP,
                    workspace,
                    **cloud_options(server.url),
                    transport=transport,
                ),
                queries=LogsQueryClient(Credential(), endpoint=server.url, transport=transport),
                log_workspace=LOG_WORKSPACE,
                http=http,
                patience_s=patience_s,
            )

        setting = Setting(azure=cloud, server=server, endpoint=another(), another=another, folder=tmp_path)
        create(setting, "auth_mode: key")
        yield setting


def create(here: Setting, text: str) -> None:
    file = here.folder / "endpoint.yml"
    file.write_text(f"name: any\n{text}\n")
    here.endpoint.create(file)


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(EndpointError) as caught:
        call()
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    return message


def test_it_is_an_endpoint(here: Setting):
    """Whatever takes the one takes the other."""
    endpoint: Endpoint = here.endpoint
    assert endpoint.name == "credit"


def test_connecting_asks_nobody():
    """Whoever is signed in is found out when the first call needs it."""
    names = {"subscription": SUBSCRIPTION, "resource_group": GROUP, "workspace": WORKSPACE}
    assert connect("credit", {}, **names, log_workspace=LOG_WORKSPACE).name == "credit"


def test_an_endpoint_is_created_from_its_file(here: Setting):
    """Under the name that was asked for, without traffic."""
    (sent,) = here.server.sent("PUT", ENDPOINT)
    assert sent.path == PREFIX + ENDPOINT
    assert sent.query == {"api-version": "2022-02-01-preview"}
    assert sent.headers["authorization"].startswith("Bearer entra-token")
    assert sent.document["properties"]["authMode"] == "Key"
    assert (here.endpoint.traffic(), here.endpoint.deployments()) == (Traffic({}), {})


def test_a_deployment_is_created_from_its_file(here: Setting):
    """With what the file says, no traffic, and ready when deploy returns."""
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


def test_code_beside_the_file_is_uploaded(here: Setting, monkeypatch: pytest.MonkeyPatch):
    """And an environment that stands in the file is registered, both as azure-ai-ml does."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(here.folder / "authority.pem"))  # the storage's client has no option
    (here.folder / "source").mkdir()
    (here.folder / "source" / "score.py").write_bytes(SCRIPT)
    text = DEPLOYMENT.replace('"azureml:source:3"', "source").replace("azureml:scoring:2", "{image: our.io/scoring:2}")
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
    """Also when somebody else has started it."""
    here.endpoint.deploy("blue")
    deployment = here.azure.workspace.deployments["credit"]["blue"]["properties"]
    for state, expected in {"Creating": State.CREATING, "Updating": State.CREATING, "Canceled": State.FAILED}.items():
        deployment["provisioningState"] = state
        assert here.endpoint.deployments() == {"blue": expected}
    deployment["provisioningState"] = "Deleting"
    assert here.endpoint.deployments() == {}


def test_a_deployment_that_fails_is_told_with_its_reason_and_logs(here: Setting):
    """Azure's own words come first, then what both containers wrote."""
    here.azure.workspace.failing["blue"] = {"code": "ResourceNotReady", "message": "User container has crashed."}
    here.azure.workspace.console["blue"] = {"StorageInitializer": "Downloaded.\n", "InferenceServer": "one\ntwo\n"}
    here.endpoint.deploy("blue")
    assert here.endpoint.deployments() == {"blue": State.FAILED}
    reason, *lines = here.endpoint.logs("blue").splitlines()
    assert "User container has crashed" in reason
    assert lines == ["Downloaded.", "one", "two"]
    assert {sent.document["tail"] for sent in here.server.sent("POST", "/getLogs")} == {100}


def test_the_reason_is_told_where_there_are_no_logs(here: Setting):
    """A container that never started has none."""
    here.azure.workspace.failing["blue"] = {"code": "OutOfQuota", "message": "Not enough quota for Standard_DS3_v2."}
    here.endpoint.deploy("blue")
    here.server.fail(2, Reply(400, {"error": {"code": "BadRequest", "message": "No container."}}), "POST", "/getLogs")
    assert "take a smaller instance_type or fewer instances" in here.endpoint.logs("blue")


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
    here.endpoint.set_traffic(Traffic({"blue": 100}))
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


def test_live_and_mirrored_traffic_change_in_one_update(here: Setting):
    """And are in force when set_traffic returns."""
    both(here)
    wanted = Traffic({"blue": 100}, {"green": 10})
    here.endpoint.set_traffic(wanted)
    sent = here.put(ENDPOINT)["properties"]
    assert (sent["traffic"], sent["mirrorTraffic"]) == ({"blue": 100}, {"green": 10})
    assert here.endpoint.traffic() == wanted
    here.endpoint.set_traffic(Traffic({"blue": 90, "green": 10}))
    sent = here.put(ENDPOINT)["properties"]
    assert (sent["traffic"], sent["mirrorTraffic"]) == ({"blue": 90, "green": 10}, {})


def test_a_change_of_traffic_changes_nothing_else(here: Setting):
    """Tags, identity, description and network access go back as they were."""
    here.endpoint.deploy("blue")
    held = here.azure.workspace.endpoints["credit"]
    held["tags"] = {"team": "risk"}
    identity = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/{GROUP}/providers/Microsoft.ManagedIdentity/u"
    held["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}
    held["properties"] |= {"description": "Credit risk", "publicNetworkAccess": "Disabled"}
    here.endpoint.set_traffic(Traffic({"blue": 100}))
    sent = here.put(ENDPOINT)
    assert sent["tags"] == {"team": "risk"}
    assert sent["identity"]["type"] == "UserAssigned"
    assert list(sent["identity"]["userAssignedIdentities"]) == [identity]
    assert sent["properties"]["authMode"] == "Key"
    assert sent["properties"]["description"] == "Credit risk"
    assert sent["properties"]["publicNetworkAccess"] == "Disabled"


def test_setting_the_same_traffic_again_sends_nothing(here: Setting):
    """Shares of 0 count as none."""
    both(here)
    here.endpoint.set_traffic(Traffic({"blue": 100}))
    before = len(here.server.sent("PUT"))
    here.endpoint.set_traffic(Traffic({"blue": 100, "green": 0}))
    assert len(here.server.sent("PUT")) == before


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 50)), min_size=1, max_size=4))
def test_any_order_of_steps_ends_where_the_last_one_says(here: Setting, steps: list[tuple[int, int]]):
    """Forward, back, mirrored or not; what is in force is what was asked for last."""
    for name in {"blue", "green"} - set(here.endpoint.deployments()):
        here.endpoint.deploy(name)
    for share, mirrored in steps:
        wanted = Traffic({"blue": 100 - share, "green": share}, {} if share else {"green": mirrored})
        here.endpoint.set_traffic(wanted)
        now = here.endpoint.traffic()
        assert {name: percent for name, percent in wanted.live.items() if percent} == now.live
        assert {name: percent for name, percent in wanted.mirror.items() if percent} == now.mirror


def test_the_log_of_one_container_is_enough(here: Setting):
    """A deployment without a model has nothing to fetch, so its other container alone writes."""
    here.endpoint.deploy("blue")
    here.azure.workspace.console["blue"] = {"InferenceServer": "one\n"}
    here.server.fail(1, Reply(400, {"error": {"code": "BadRequest", "message": "None."}}), "POST", "/getLogs")
    assert here.endpoint.logs("blue") == "one"


@pytest.mark.parametrize(
    ("traffic", "said"),
    [
        (Traffic({"blue": 90}), "sum to 0 or 100"),
        (Traffic({"red": 100}), "do not exist: red"),
        (Traffic({"blue": 100}, {"green": 60}), "at most 50 percent"),
        (Traffic({"blue": 50, "green": 50}, {"green": 10}), "not both"),
    ],
)
def test_traffic_that_azure_refuses_is_told_in_its_words(here: Setting, traffic: Traffic, said: str):
    """The traffic stays as it was."""
    both(here)
    here.endpoint.set_traffic(Traffic({"blue": 100}))
    message = refusal(lambda: here.endpoint.set_traffic(traffic))
    assert message.startswith("Can't set the traffic of credit: ")
    assert said in message
    assert here.endpoint.traffic() == Traffic({"blue": 100})


def test_a_deployment_is_deleted(here: Setting):
    """It is gone when delete returns; deleting it again does nothing."""
    here.endpoint.deploy("blue")
    here.endpoint.delete("blue")
    assert here.endpoint.deployments() == {}
    here.endpoint.delete("blue")
    here.server.fail(1, Reply(404, {"error": {"code": "NotFound", "message": "Gone."}}), "DELETE", BLUE)
    here.endpoint.delete("blue")
    assert [sent.query for sent in here.server.sent("DELETE", BLUE)] == [{"api-version": "2023-04-01-preview"}] * 3


def test_a_deployment_with_live_traffic_is_not_deleted(here: Setting):
    """Azure refuses, and the sentence says why."""
    here.endpoint.deploy("blue")
    here.endpoint.set_traffic(Traffic({"blue": 100}))
    assert "has live traffic" in refusal(lambda: here.endpoint.delete("blue"))
    assert here.endpoint.deployments() == {"blue": State.READY}


def both(here: Setting) -> None:
    for name in ("blue", "green"):
        here.endpoint.deploy(name)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ENDPOINT), ("PUT", ENDPOINT), ("PUT", GREEN), ("GET", "/operations/"), ("DELETE", BLUE)],
)
@pytest.mark.parametrize(
    "reply",
    [Reply(429, None, AT_ONCE), Reply(409, BUSY, AT_ONCE), Reply(503, None, AT_ONCE), Reply(500, b"<html>", AT_ONCE)],
)
def test_what_passes_by_itself_is_waited_out(here: Setting, method: str, path: str, reply: Reply):
    """Throttling, another operation in progress and faults of Azure, at any step and longer than its client waits."""
    here.endpoint.deploy("blue")
    here.server.fail(6, reply, method, path)
    here.endpoint.deploy("green")
    here.endpoint.set_traffic(Traffic({"green": 100}))
    here.endpoint.delete("blue")
    assert here.endpoint.deployments() == {"green": State.READY}
    assert here.endpoint.traffic() == Traffic({"green": 100})


@pytest.mark.parametrize(("method", "path"), [("GET", ENDPOINT), ("PUT", GREEN), ("GET", "/operations/")])
def test_a_connection_that_drops_does_no_harm(here: Setting, method: str, path: str):
    """What was asked is asked again; each change may be repeated."""
    here.server.fail(2, DROP, method, path)
    here.endpoint.deploy("green")
    assert here.endpoint.deployments() == {"green": State.READY}


def test_another_operation_in_progress_is_waited_out(here: Setting):
    """A colleague's update of the endpoint, for one."""
    here.endpoint.deploy("blue")
    here.azure.workspace.duration = 20
    poller = here.endpoint._ml.online_endpoints.begin_create_or_update(here.endpoint._get())
    here.endpoint.set_traffic(Traffic({"blue": 100}))
    assert here.endpoint.traffic() == Traffic({"blue": 100})
    poller.wait(60)


def test_patience_has_an_end(here: Setting):
    """The sentence says what stood in the way."""
    here.server.fail(9, Reply(409, BUSY), "PUT", GREEN)
    message = refusal(lambda: here.another(patience_s=1).deploy("green"))
    assert "another operation is in progress, still after waiting" in message


def test_an_operation_without_end_is_given_up(here: Setting):
    """It goes on in Azure, which the sentence says."""
    here.azure.workspace.duration = 10**9
    assert "and goes on" in refusal(lambda: here.another(patience_s=0.1).deploy("green"))


class Nobody:
    def get_token(self, *_: str, **__: Any) -> Any:
        raise ClientAuthenticationError("DefaultAzureCredential failed to retrieve a token.\nMany lines.")


def test_who_is_not_signed_in_is_told_to(here: Setting):
    """By the command that does it."""
    assert "az login" in refusal(here.another(credential=Nobody()).traffic)
    here.server.fail(1, Reply(401, {"error": {"code": "InvalidAuthenticationToken", "message": "x"}}), "GET", ENDPOINT)
    assert "az login" in refusal(here.endpoint.traffic)


def test_who_may_not_is_told_which_role_it_needs(here: Setting):
    """With Azure's words about what was refused."""
    denied = Reply(403, {"error": {"code": "AuthorizationFailed", "message": "No authorization to write."}})
    here.server.fail(1, denied, "PUT", BLUE)
    message = refusal(lambda: here.endpoint.deploy("blue"))
    assert "No authorization to write (AuthorizationFailed); ask for the role AzureML Data Scientist" in message


def test_a_wrong_workspace_is_told_from_a_missing_endpoint(here: Setting):
    """Azure answers 404 to both."""
    message = refusal(here.another(workspace="elsewhere").traffic)
    assert message.startswith(
        f"There is no workspace elsewhere in resource group {GROUP} of subscription {SUBSCRIPTION}"
    )
    for call in (
        here.another("other").traffic,
        here.another("other").deployments,
        lambda: here.another("other").deploy("blue"),
        lambda: here.another("other").delete("blue"),
        lambda: here.another("other").score(b"[]"),
    ):
        assert refusal(call).startswith(f"There is no endpoint other in workspace {WORKSPACE}; create it by `az ml")


def test_the_logs_of_what_is_not_there_are_refused(here: Setting):
    """Rather than empty."""
    assert "was not found" in refusal(lambda: here.endpoint.logs("red"))


@pytest.mark.parametrize(
    ("reply", "advice"),
    [
        (
            Reply(400, {"error": {"code": "OutOfQuota", "message": "Not enough quota for Standard_DS3_v2."}}),
            "take a smaller instance_type or fewer instances, or ask for more quota",
        ),
        (Reply(400, {"error": {"code": "BadArgument", "message": "No such SKU."}}), "No such SKU (BadArgument)"),
        (Reply(400, b"<html>"), "Can't deploy blue: "),
    ],
)
def test_a_deployment_that_azure_refuses_is_told_with_advice(here: Setting, reply: Reply, advice: str):
    """Nothing was begun."""
    here.server.fail(1, reply, "PUT", BLUE)
    assert advice in refusal(lambda: here.endpoint.deploy("blue"))
    assert here.endpoint.deployments() == {}


def test_a_name_that_is_taken_is_told(here: Setting):
    """Names are unique in a region, over all of Azure's customers."""
    here.azure.workspace.taken.add("other")
    file = here.folder / "endpoint.yml"
    assert "choose a name of your own" in refusal(lambda: here.another("other").create(file))


def test_azure_out_of_reach_is_told(here: Setting):
    """As soon as its client has given up."""
    here.server.close()
    assert "check the network and the proxy" in refusal(here.endpoint.traffic)


@pytest.mark.parametrize("mode", ["key", "aml_token", "aad_token"])
def test_a_score_is_asked_with_what_the_endpoint_wants(here: Setting, mode: str):
    """A key, a token of Azure ML or one of Microsoft Entra."""
    create(here, f"auth_mode: {mode}")
    here.azure.models["blue"] = lambda request: Reply(200, {"predictions": request.document})
    here.endpoint.deploy("blue")
    here.endpoint.set_traffic(Traffic({"blue": 100}))
    answer = here.endpoint.score(b"[1]")
    assert (answer.status, answer.body) == (200, b'{"predictions": [1]}')
    assert answer.latency_ms > 0


def test_a_deployment_is_asked_by_name(here: Setting):
    """Whatever the traffic."""
    both(here)
    here.endpoint.set_traffic(Traffic({"blue": 100}))
    here.azure.models |= {name: lambda _, name=name: Reply(200, name) for name in ("blue", "green")}
    assert [here.endpoint.score(b"[]", name).body for name in (None, "green")] == [b'"blue"', b'"green"']
    first, second = (sent.headers for sent in here.server.sent("POST", "/score"))
    assert "azureml-model-deployment" not in first
    assert second["azureml-model-deployment"] == "green"


@pytest.mark.parametrize("status", [200, 400, 422, 500, 503, 504])
def test_the_status_is_the_models_own(here: Setting, status: int):
    """Azure answers 424 in its place."""
    here.endpoint.deploy("blue")
    here.azure.models["blue"] = lambda _: Reply(status, {"status": status})
    answer = here.endpoint.score(b"[]", "blue")
    assert (answer.status, answer.body) == (status, b'{"status": %d}' % status)


def test_a_regenerated_key_is_fetched_anew(here: Setting):
    """Within the same call."""
    here.endpoint.deploy("blue")
    here.azure.models["blue"] = lambda _: Reply(200, [])
    here.endpoint.score(b"[]", "blue")
    here.azure.workspace.keys["primaryKey"] = "key-3"
    assert here.endpoint.score(b"[]", "blue").status == 200
    assert len(here.server.sent("POST", "/listKeys")) == 2


def test_a_score_that_no_deployment_can_answer_is_refused(here: Setting):
    """No traffic, no such deployment, no permission, no connection."""
    assert "takes traffic" in refusal(lambda: here.endpoint.score(b"[]"))
    assert "no deployment red" in refusal(lambda: here.endpoint.score(b"[]", "red"))
    here.server.fail(1, Reply(403), "POST", "/score")
    assert "ask for the role" in refusal(lambda: here.endpoint.score(b"[]"))
    here.server.fail(1, DROP, "POST", "/score")
    message = refusal(lambda: here.endpoint.score(b"[]"))
    assert "can't be reached" in message
    assert "key-1" not in message


def row(second: int, **columns: object) -> dict[str, object]:
    """As the traffic log holds one: codes are text."""
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


def test_observations_are_this_endpoints_since_then(here: Setting):
    """With the model's own status, and 0 where it gave none."""
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
    ]
    assert list(here.endpoint.observations(1_700_000_000)) == [
        Observation(1_700_000_003, "blue", 200, 12.5),
        Observation(1_700_000_004, "green", 422, 12.5),
        Observation(1_700_000_005, "blue", 0, 12.5),
        Observation(1_700_000_006, "blue", 408, 5000.0),
        Observation(1_700_000_007, "blue", 0, 0.0),
    ]
    (sent,) = here.server.sent("POST", "/query")
    assert sent.path == f"/v1/workspaces/{LOG_WORKSPACE}/query"
    assert sent.document["timespan"].startswith("2023-11-14T22:13:20")


def test_observations_that_are_not_all_there_are_refused(here: Setting):
    """A judgement on a part of them would be wrong."""
    here.azure.logs.complete = False
    assert "ask for a shorter time" in refusal(lambda: here.endpoint.observations(1_700_000_000))


def test_a_log_that_can_not_be_read_is_told(here: Setting):
    """In Azure's words."""
    said = {"error": {"code": "InsufficientAccessError", "message": "No access to the workspace."}}
    here.server.fail(1, Reply(403, said), "POST", "/query")
    message = refusal(lambda: here.endpoint.observations(1_700_000_000))
    assert message.startswith("Can't read the traffic log of credit: No access to the workspace")


@pytest.fixture
def live(here: Setting) -> Setting:
    """Blue has all traffic and answers 1."""
    here.endpoint.deploy("blue")
    here.endpoint.set_traffic(Traffic({"blue": 100}))
    here.azure.models.update({name: lambda _: Reply(200, {"predictions": [1]}) for name in ("blue", "green")})
    here.server.requests.clear()
    return here


def roll_out(here: Setting, slower: float = 1.0) -> tuple[Outcome, list[dict[str, int]]]:
    """-> how it ended, and the traffic that was asked of Azure, mirrored shares under the name "mirrored"."""

    def clients(seconds: float) -> None:
        """Two hundred by each share, instead of waiting."""
        traffic = here.endpoint.traffic()
        for name in {**traffic.live, **traffic.mirror}:
            duration = 20.0 * (slower if name == "green" else 1.0)
            here.azure.logs.rows += [
                {
                    "TimeGenerated": datetime.now(UTC).isoformat(),
                    "AzureMLWorkspaceName": WORKSPACE,
                    "EndpointName": "credit",
                    "DeploymentName": name,
                    "ResponseCode": "200",
                    "ModelStatusCode": "200",
                    "TotalDurationMs": duration + number % 10,
                }
                for number in range(200)
            ]

    outcome = Rollout(
        here.endpoint,
        Plan("blue", "green", steps(), hold_s=0, patience_s=5, keep_s=0),
        Rules(requests=100),
        Questions([({"data": [[1]], "method": "predict"}, [1])], [[1]]),
        Journal(here.folder / "journal.jsonl"),
        key="v2",
        sleep=clients,
    ).run()
    asked = [request.document["properties"] for request in here.server.sent("PUT", ENDPOINT)]
    return outcome, [{**(each["traffic"] or {}), **_mirrored(each)} for each in asked]


def _mirrored(properties: dict[str, Any]) -> dict[str, int]:
    return {"mirrored": sum(shares.values())} if (shares := properties.get("mirrorTraffic")) else {}


def test_a_rollout_asks_of_azure_one_share_after_the_other(live: Setting):
    """And deletes the old deployment at the end."""
    outcome, asked = roll_out(live)
    assert outcome is Outcome.PROMOTED
    assert asked == [
        {"blue": 100, "mirrored": 10},
        {"blue": 90, "green": 10},
        {"blue": 50, "green": 50},
        {"green": 100},
    ]
    assert live.endpoint.deployments() == {"green": State.READY}


def test_a_rollout_of_a_slow_deployment_ends_with_the_old_one(live: Setting):
    """Its log says so."""
    outcome, asked = roll_out(live, slower=3.0)
    assert outcome is Outcome.ROLLED_BACK
    assert asked == [{"blue": 100, "mirrored": 10}, {"blue": 100}]
    assert "against" in (live.folder / "journal.jsonl").read_text().splitlines()[-1]


def test_a_rollout_of_a_deployment_that_azure_can_not_start_ends_before_any_traffic(live: Setting):
    """With Azure's reason."""
    live.azure.workspace.failing["green"] = {"code": "UserScriptException", "message": "init() failed."}
    outcome, asked = roll_out(live)
    assert outcome is Outcome.ROLLED_BACK
    assert asked == []
    assert "green did not get ready" in (live.folder / "journal.jsonl").read_text()
