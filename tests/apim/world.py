"""A gateway between a caller and a scoring endpoint, each as a test wants it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

from apim.gateway import Gateway
from apim.loading import Services
from apim.messages import Headers, Request, Response, Subscription
from azureml_scoring import errors
from azureml_scoring.scoring import failure

ORIGIN = "https://app.example.com"
KEY = {"Ocp-Apim-Subscription-Key": "key-a"}
START = datetime(2026, 11, 2, 10, tzinfo=UTC)
GUID = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
ANSWER = b'{"predictions": [1.0], "metadata": {"request_id": "1"}}'
OUR_REFUSAL = (
    b'{"error": "Feature age must be a number.", "code": "wrong_type", '
    b'"metadata": {"request_id": "1"}}'
)
PRODUCTS = ["product.xml", "product-v2.xml"]
LIMIT = 5 * 1024 * 1024
NOT_READY = failure(
    errors.NotReady("Later."),
    status=503,
    request_id="1",
    trace="",
    model_version=None,
    timestamp="",
)
SERVERS = json.loads(NOT_READY.body)


class World:
    """A gateway, its callers' clock, and a scoring endpoint that answers as it is told."""

    def __init__(self, product: str = "product.xml", front_door_id: str = "") -> None:
        self.now = START
        self.seen: list[Request] = []
        self.answer = Response(
            200, Headers({"Content-Type": "application/json", "x-request-id": "azure"}), ANSWER
        )
        self.raises: Exception | None = None
        self.takes = 0.1
        services = Services(
            lambda: self.now, {"scoring": self._endpoint}, lambda resource: f"token for {resource}"
        )
        subscriptions = {
            "key-a": Subscription("a", START - timedelta(days=10)),
            "key-b": Subscription("b", START - timedelta(days=10)),
        }
        self.gateway = Gateway(
            product,
            services,
            subscriptions,
            [ORIGIN, "https://other.example.com:8443"],
            front_door_id,
        )

    def _endpoint(self, request: Request, timeout: float) -> Response:
        self.seen.append(request)
        if self.takes > timeout:
            raise TimeoutError
        if self.raises:
            raise self.raises
        return Response(
            self.answer.status, Headers(dict(self.answer.headers.items())), self.answer.body
        )

    def call(
        self, *, ip: str = "203.0.113.7", length: int | str | None = 20, **headers: str
    ) -> Response:
        """A POST to /score with a key, unless ``headers`` say otherwise; underscores in their names
        are dashes."""
        given = KEY | {name.replace("_", "-"): value for name, value in headers.items()}
        if length is not None:
            given["Content-Length"] = str(length)
        return self.gateway.handle(Request(headers=Headers(given), ip=ip), GUID)

    def health(self) -> int:
        """Return the status of a GET of /health without a key."""
        return self.gateway.handle(Request("GET", "/health")).status

    def fails(self, status: int, body: bytes | None = None, **headers: str) -> None:
        """Let the endpoint answer so from now on; without ``body``, with a page that is not
        ours."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer = Response(
            status, Headers(given), b"<html>busy</html>" if body is None else body
        )


def refusal(response: Response, status: int, code: str) -> dict[str, object]:
    """The body, once it is proven to be of the scoring server's format throughout."""
    assert response.status == status
    assert response.headers["Content-Type"] == "application/json"
    body = json.loads(response.body or b"")
    assert list(body) == list(SERVERS)
    assert list(body["metadata"]) == list(SERVERS["metadata"])
    assert (body["status"], body["code"], body["location"]) == (status, code, None)
    assert re.fullmatch(r"[A-Z][^\n]*\.", body["error"])
    assert re.fullmatch("[0-9a-f]{32}", body["trace"])
    assert re.fullmatch(MOMENT, body["metadata"]["timestamp"])
    assert (
        body["metadata"]["request_id"]
        == response.headers["x-correlation-id"]
        == response.headers["x-request-id"]
    )
    assert re.fullmatch(MOMENT, response.headers["x-request-timestamp"])
    assert response.headers["x-response-timestamp"] == body["metadata"]["timestamp"]
    return body
