"""A score is asked as a client of the endpoint asks it."""

from __future__ import annotations

from typing import Any

import pytest

from arm.https import DROP, Reply
from arm.setting import Setting, both, create, refusal
from mlops.endpoint import Traffic, direct
from mlops.rollout.own_requests import OWN_PREFIX


@pytest.mark.parametrize("mode", ["key", "aml_token", "aad_token"])
def test_a_score_is_asked_with_what_the_endpoint_wants(here: Setting, mode: str):
    """A key, a token of Azure ML or one of Microsoft Entra."""
    create(here, f"auth_mode: {mode}")
    here.azure.models["blue"] = lambda request: Reply(200, {"predictions": request.document})
    here.endpoint.deploy("blue")
    direct(here.endpoint, Traffic({"blue": 100}))
    answer = here.endpoint.score(b"[1]")
    assert (answer.status, answer.body) == (200, b'{"predictions": [1]}')
    assert answer.latency_ms > 0


def test_a_deployment_is_asked_by_name(here: Setting):
    """It is used whatever the traffic."""
    both(here)
    direct(here.endpoint, Traffic({"blue": 100}))
    here.azure.models |= {name: lambda _, name=name: Reply(200, name) for name in ("blue", "green")}
    assert [here.endpoint.score(b"[]", name).body for name in (None, "green")] == [
        b'"blue"',
        b'"green"',
    ]
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
    """The same call succeeds."""
    here.endpoint.deploy("blue")
    here.azure.models["blue"] = lambda _: Reply(200, [])
    here.endpoint.score(b"[]", "blue")
    here.azure.workspace.online.keys["primaryKey"] = "key-3"
    assert here.endpoint.score(b"[]", "blue").status == 200
    assert len(here.server.sent("POST", "/listKeys")) == 2


def test_a_score_that_no_deployment_can_answer_is_refused(here: Setting):
    """No traffic, no such deployment, no permission, no connection."""
    assert "takes traffic" in refusal(lambda: here.endpoint.score(b"[]"))
    assert "no deployment red" in refusal(lambda: here.endpoint.score(b"[]", "red"))
    here.server.fail(1, Reply(403), "POST", "/score")
    assert "ask for the role" in refusal(lambda: here.endpoint.score(b"[]"))
    here.server.fail(10, DROP, "POST", "/score")
    message = refusal(lambda: here.endpoint.score(b"[]"))
    assert "can't be reached" in message
    assert "key-1" not in message


@pytest.mark.parametrize("lost", [DROP, Reply(503), Reply(429, {"code": "overloaded"})])
def test_a_lost_answer_is_asked_again(live: Setting, lost: Any):
    """One request of ours ends no rollout; what the service's own client repeats is repeated."""
    live.server.fail(1, lost, "POST", "/score")
    assert live.endpoint.score(b"[]").status == 200
    assert len(live.server.sent("POST", "/score")) == 2


def test_our_requests_are_told_from_those_of_clients(live: Setting):
    """By the id that Azure logs. None is answered from a cache, which would agree with itself."""
    live.endpoint.score(b"[]")
    live.endpoint.score(b"[]", "blue")
    headers = [sent.headers for sent in live.server.sent("POST", "/score")]
    ids = {sent["x-ms-client-request-id"] for sent in headers}
    assert len(ids) == 2
    assert all(one.startswith(OWN_PREFIX) for one in ids)
    assert {sent["cache-control"] for sent in headers} == {"no-cache"}
