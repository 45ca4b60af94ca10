"""The gateway of `tests/apim` in front of a real scoring server: on AKS, and behind a managed
endpoint."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

import support
from apim.gateway import Gateway
from apim.loading import Backend, Services
from apim.messages import Headers, Request, Response, Subscription
from arm.https import Reply
from arm.scoring import as_azure_answers
from blackbox.server import Server

AZURES_ID = "6f9619ff-8b86-d011-b42d-00c04fc964ff"
KEY = {"Ocp-Apim-Subscription-Key": "key-a", "Content-Type": "application/json"}
GOOD, WRONG_TYPE = {"data": [support.ROW]}, {"data": [["x"] * len(support.ROW)]}
Call = Callable[..., Response]
pytestmark = pytest.mark.any_worker


@pytest.fixture(scope="module")
def server(bare_demo: Server) -> Server:
    return bare_demo


def caller(backend: Backend) -> Call:
    services = Services(lambda: datetime.now(UTC), {"scoring": backend}, lambda resource: "token")
    gateway = Gateway("product-v2.xml", services, {"key-a": Subscription("a", services.now())}, [])

    def call(document: object, **headers: str) -> Response:
        body = json.dumps(document).encode()
        given = (
            KEY
            | {"Content-Length": str(len(body))}
            | {name.replace("_", "-"): v for name, v in headers.items()}
        )
        return gateway.handle(Request(headers=Headers(given), body=body))

    return call


def ask(server: Server, request: Request, timeout: float, **headers: str) -> Reply:
    headers = dict(request.headers.items()) | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    answer = server.client.post("/score", content=request.body, headers=headers, timeout=timeout)
    return Reply(answer.status_code, answer.content, dict(answer.headers))


@pytest.fixture
def aks(server: Server) -> Call:
    """A server whose own answers reach the gateway."""

    def backend(request: Request, timeout: float) -> Response:
        reply = ask(server, request, timeout)
        return Response(reply.status, Headers(reply.headers), reply.body)

    return caller(backend)


@pytest.fixture
def managed(server: Server) -> Call:
    """A server behind a managed endpoint: 424 for all but 200, and Azure's own id."""

    def backend(request: Request, timeout: float) -> Response:
        reply = as_azure_answers(ask(server, request, timeout, x_request_id=AZURES_ID))
        return Response(reply.status, Headers(reply.headers), reply.body)

    return caller(backend)


@pytest.fixture(params=["aks", "managed"])
def call(request: pytest.FixtureRequest) -> Call:
    """Call through the gateway to either server: callers need not know which."""
    chosen: Call = request.getfixturevalue(request.param)
    return chosen


def test_predictions(call: Call):
    """A request with a key gets predictions, and its correlation id back."""
    response = call(GOOD, x_correlation_id="order-17")
    assert response.status == 200
    assert len(json.loads(response.body or b"")["predictions"]) == 1
    assert response.headers["x-correlation-id"] == "order-17"


def test_one_error_format(call: Call):
    """The server's refusals come with their status, and have the very fields of the gateway's."""
    from_server = call(WRONG_TYPE)
    from_gateway = call(WRONG_TYPE, Content_Length=str(6_000_000))
    assert (from_server.status, from_gateway.status) == (422, 413)
    servers, gateways = (
        json.loads(response.body or b"") for response in (from_server, from_gateway)
    )
    assert (servers["code"], servers["status"]) == ("wrong_type", 422)
    assert list(servers) == list(gateways)
    assert list(servers["metadata"]) == list(gateways["metadata"])


def test_correlation_on_aks(aks: Call):
    """On AKS the id is the request's throughout: header, body and log."""
    body = json.loads(aks(GOOD, x_correlation_id="order-18").body or b"")
    assert body["metadata"]["request_id"] == "order-18"


def test_correlation_behind_a_managed_endpoint(managed: Call, server: Server):
    """Behind a managed endpoint the server's log line joins Azure's id, which the body has, with
    the gateway's."""
    body = json.loads(managed(GOOD, x_correlation_id="order-19").body or b"")
    assert body["metadata"]["request_id"] == AZURES_ID
    (line,) = server.logged("order-19")
    assert line["request_id"] == AZURES_ID
