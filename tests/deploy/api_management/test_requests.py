"""What the gateway passes on of a request, and which ids come back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apim.messages import Headers, Request
from apim.world import ANSWER, GUID, MOMENT, World, refusal
from azureml_scoring.http.request_reader import REQUEST_ID

SHARED = World()


def test_success(world: World) -> None:
    """The model's answer comes back as it is, with the correlation id and both times."""
    response = world.call()
    assert (response.status, response.body) == (200, ANSWER)
    assert response.headers["x-correlation-id"] == str(GUID)
    assert response.headers["x-request-id"] == "azure"  # what the body's metadata says
    assert response.headers["x-request-timestamp"] == "2026-11-02T10:00:00.000Z"
    assert re.fullmatch(MOMENT, response.headers["x-response-timestamp"])


def test_endpoint_is_given(world: World) -> None:
    """The endpoint gets the correlation id under all its names, the time, and the gateway's token,
    but not the caller's token, key or choice of deployment."""
    world.call(
        Authorization="Bearer callers",
        azureml_model_deployment="green",
        Content_Type="application/json",
    )
    headers = dict(world.seen[0].headers.items())
    assert headers == {
        "authorization": "Bearer token for https://ml.azure.com",
        "content-length": "20",
        "content-type": "application/json",
        "x-correlation-id": str(GUID),
        "x-ms-client-request-id": str(GUID),
        "x-request-id": str(GUID),
        "x-request-timestamp": "2026-11-02T10:00:00.000Z",
    }


def test_key_in_query(world: World) -> None:
    """A key in the query works too, and is not passed on."""
    headers = Headers({"Content-Length": "20"})
    request = Request(headers=headers, query={"subscription-key": "key-a", "other": "1"})
    assert world.gateway.handle(request).status == 200
    assert world.seen[0].query == {"other": "1"}


@pytest.mark.parametrize("name", ["x-correlation-id", "x-request-id", "x-ms-client-request-id"])
@pytest.mark.parametrize("sent", ["order-17", "a" * 100, "A.z_0:~/+=@-"])
def test_correlation_id_is_kept(world: World, name: str, sent: str) -> None:
    """A caller's id is passed on and echoed, from any of the three headers."""
    assert world.call(**{name: sent}).headers["x-correlation-id"] == sent
    assert world.seen[0].headers["x-request-id"] == sent


@given(sent=st.text(st.characters(codec="latin-1", exclude_categories=("Cc",)), max_size=102))
def test_correlation_id_is_checked(sent: str) -> None:
    """An invalid id is replaced, by the same rule as in the scoring server."""
    expected = sent if REQUEST_ID.fullmatch(sent) else str(GUID)
    assert SHARED.call(x_correlation_id=sent).headers["x-correlation-id"] == expected


def test_next_correlation_id_is_taken(world: World) -> None:
    """If the first header has no valid id, the next one that has counts."""
    response = world.call(x_correlation_id="no id", x_ms_client_request_id="order-17")
    assert response.headers["x-correlation-id"] == "order-17"


def test_id_and_trace_of_a_refusal(world: World) -> None:
    """A refusal names the caller's id and trace; without a trace it names the id of the gateway's
    own log."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    response = world.call(
        length=None, x_request_id="order-17", traceparent=f"00-{trace}-00f067aa0ba902b7-01"
    )
    body = refusal(response, 411, "length_required")
    assert (body["trace"], response.headers["x-correlation-id"]) == (trace, "order-17")
    for unusable in ("", f"ff-{trace}-00f067aa0ba902b7-01", f"00-{'0' * 32}-00f067aa0ba902b7-01"):
        assert (
            refusal(world.call(length=None, traceparent=unusable), 411, "length_required")["trace"]
            == GUID.hex
        )
