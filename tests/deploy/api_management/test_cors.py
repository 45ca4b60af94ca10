"""Web pages: their preflights, and what they may read."""

from __future__ import annotations

import pytest

from apim.messages import Headers, Request, Response
from apim.world import ORIGIN, World

SENT_BY_PAGES = {
    "content-type",
    "content-encoding",
    "ocp-apim-subscription-key",
    "x-correlation-id",
    "x-request-id",
    "x-ms-client-request-id",
    "traceparent",
}
READ_BY_PAGES = {
    "retry-after",
    "x-correlation-id",
    "x-request-id",
    "x-request-timestamp",
    "x-response-timestamp",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
}


def preflight(
    world: World, origin: str, method: str = "POST", headers: str = "content-type"
) -> Response:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": headers,
    }
    return world.gateway.handle(Request("OPTIONS", headers=Headers(asked)))


def test_preflight(world: World) -> None:
    """A browser on an allowed origin may POST with a key and an id; the preflight itself needs no
    key."""
    response = preflight(
        world, ORIGIN, headers="Content-Type, Ocp-Apim-Subscription-Key, X-Correlation-Id"
    )
    assert (response.status, response.body) == (200, None)
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert response.headers["Access-Control-Allow-Methods"] == "POST"
    assert set(response.headers["Access-Control-Allow-Headers"].split(",")) == SENT_BY_PAGES
    assert response.headers["Access-Control-Max-Age"] == "600"
    assert world.seen == []


@pytest.mark.parametrize(
    ("origin", "method", "headers"),
    [
        ("https://evil.example.com", "POST", "content-type"),
        ("http://app.example.com", "POST", "content-type"),
        ("https://app.example.com:444", "POST", "content-type"),
        ("null", "POST", "content-type"),
        (ORIGIN, "DELETE", "content-type"),
        (ORIGIN, "POST", "azureml-model-deployment"),
        (ORIGIN, "POST", "authorization"),
    ],
)
def test_preflight_refused(world: World, origin: str, method: str, headers: str) -> None:
    """Any other origin, method or header gets no permission, so the browser does not send the
    request."""
    assert dict(preflight(world, origin, method, headers).headers.items()) == {}


def test_cors_of_real_requests(world: World) -> None:
    """A page of an allowed origin may read answers and refusals, ids and limits included; another
    page may not."""
    for response in (world.call(Origin=ORIGIN), world.call(Origin=ORIGIN, length=None)):
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert set(response.headers["Access-Control-Expose-Headers"].split(",")) == READ_BY_PAGES
    assert (
        "Access-Control-Allow-Origin" not in world.call(Origin="https://evil.example.com").headers
    )
