"""Faults of Azure that pass are waited out; all others are told in one sentence, with what to
do."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError

from arm.https import DROP, Reply
from arm.resource_manager import AT_ONCE, GROUP, SUBSCRIPTION, WORKSPACE
from arm.setting import BLUE, ENDPOINT, GREEN, Setting, refusal
from mlops.endpoint import NotSignedIn, State, Traffic, direct

pytestmark = pytest.mark.slow

BUSY = {"error": {"code": "Conflict", "message": "Another operation is in progress."}}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ENDPOINT),
        ("PUT", ENDPOINT),
        ("PUT", GREEN),
        ("GET", "/operations/"),
        ("DELETE", BLUE),
    ],
)
@pytest.mark.parametrize(
    "reply",
    [
        Reply(429, None, AT_ONCE),
        Reply(409, BUSY, AT_ONCE),
        Reply(503, None, AT_ONCE),
        Reply(500, b"<html>", AT_ONCE),
    ],
)
def test_what_passes_by_itself_is_waited_out(here: Setting, method: str, path: str, reply: Reply):
    """Throttling, another operation in progress and faults of Azure, at any step and longer than
    its client waits."""
    here.endpoint.deploy("blue")
    here.server.fail(6, reply, method, path)
    here.endpoint.deploy("green")
    direct(here.endpoint, Traffic({"green": 100}))
    here.endpoint.delete("blue")
    assert here.endpoint.deployments() == {"green": State.READY}
    assert here.endpoint.traffic() == Traffic({"green": 100})


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ENDPOINT), ("PUT", GREEN), ("GET", "/operations/")]
)
def test_a_connection_that_drops_does_no_harm(here: Setting, method: str, path: str):
    """What was asked is asked again; each change may be repeated."""
    here.server.fail(2, DROP, method, path)
    here.endpoint.deploy("green")
    assert here.endpoint.deployments() == {"green": State.READY}


def test_another_operation_in_progress_is_waited_out(here: Setting):
    """A colleague's update of the endpoint, for one."""
    here.endpoint.deploy("blue")
    here.azure.workspace.operations.duration = 20
    poller = here.endpoint._ml.online_endpoints.begin_create_or_update(here.endpoint._get())
    direct(here.endpoint, Traffic({"blue": 100}))
    assert here.endpoint.traffic() == Traffic({"blue": 100})
    poller.wait(60)


def test_patience_has_an_end(here: Setting):
    """The sentence says what stood in the way."""
    here.server.fail(9, Reply(409, BUSY), "PUT", GREEN)
    message = refusal(lambda: here.another(patience_s=1).deploy("green"))
    assert "another operation is in progress, still after waiting" in message


def test_an_operation_without_end_is_given_up(here: Setting):
    """It goes on in Azure, which the sentence says."""
    here.azure.workspace.operations.duration = 10**9
    assert "and goes on" in refusal(lambda: here.another(patience_s=0.1).deploy("green"))


class Nobody:
    def get_token(self, *_: str, **__: Any) -> Any:
        raise ClientAuthenticationError(
            "DefaultAzureCredential failed to retrieve a token.\nMany lines."
        )


def test_who_is_not_signed_in_is_told_to(here: Setting):
    """The error names the command to sign in."""
    assert "az login" in refusal(here.another(credential=Nobody()).traffic)
    with pytest.raises(NotSignedIn):  # which has an exit status of its own
        here.another(credential=Nobody()).traffic()
    here.server.fail(
        1,
        Reply(401, {"error": {"code": "InvalidAuthenticationToken", "message": "x"}}),
        "GET",
        ENDPOINT,
    )
    assert "az login" in refusal(here.endpoint.traffic)


def test_who_may_not_is_told_which_role_it_needs(here: Setting):
    """The error also has Azure's words about what was refused."""
    denied = Reply(
        403, {"error": {"code": "AuthorizationFailed", "message": "No authorization to write."}}
    )
    here.server.fail(1, denied, "PUT", BLUE)
    message = refusal(lambda: here.endpoint.deploy("blue"))
    assert (
        "No authorization to write (AuthorizationFailed); ask for the role AzureML Data Scientist"
        in message
    )


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
        assert refusal(call).startswith(
            f"There is no endpoint other in workspace {WORKSPACE}; create it by `az ml"
        )


@pytest.mark.parametrize(
    ("reply", "advice"),
    [
        (
            Reply(
                400,
                {
                    "error": {
                        "code": "OutOfQuota",
                        "message": "Not enough quota for Standard_D4as_v4.",
                    }
                },
            ),
            "take a smaller instance_type or fewer instances, or ask for more quota",
        ),
        (
            Reply(400, {"error": {"code": "BadArgument", "message": "No such SKU."}}),
            "No such SKU (BadArgument)",
        ),
        (Reply(400, b"<html>"), "Can't deploy blue: "),
    ],
)
def test_a_deployment_that_azure_refuses_is_told_with_advice(
    here: Setting, reply: Reply, advice: str
):
    """Nothing was begun."""
    here.server.fail(1, reply, "PUT", BLUE)
    assert advice in refusal(lambda: here.endpoint.deploy("blue"))
    assert here.endpoint.deployments() == {}


def test_a_name_that_is_taken_is_told(here: Setting):
    """Names are unique in a region, over all of Azure's customers."""
    here.azure.workspace.online.taken.add("other")
    file = here.folder / "endpoint.yml"
    assert "choose a name of your own" in refusal(lambda: here.another("other").create(file))


def test_azure_out_of_reach_is_told(here: Setting):
    """The error comes as soon as Azure's client has given up."""
    here.server.close()
    assert "check the network and the proxy" in refusal(here.endpoint.traffic)
