from types import SimpleNamespace
from typing import Any

import pytest

from azureml_scoring.admission.admission import Admission
from azureml_scoring.body_budget import BodyBudget
from azureml_scoring.errors import Overloaded
from azureml_scoring.http.body_reader import BodyReader
from azureml_scoring.http.endpoint import ScoringEndpoint
from azureml_scoring.http.request_reader import RequestReader
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.request import Answer, Request
from azureml_scoring.shared.scoreboard import WorkerRow

SHED = Answer(503, b"{}", {"Retry-After": "1"})
READER = RequestReader(BodyReader(Limits(), BodyBudget(10**6)))


def endpoint(answer: Answer = SHED, **options: Any) -> ScoringEndpoint:
    service: Any = SimpleNamespace(
        admission=Admission(WorkerRow, slots=1, max_in_flight=1, objective=0.2, deadline=30.0),
        quick=True,
        score_admitted=lambda request, due, *, may_wait: answer,
        refuse=lambda request, error: answer,
    )
    pages: Any = {"/liveness": lambda: Answer(200, b'{"status":"alive"}')}
    return ScoringEndpoint(service, READER, pages, **options)


def environ(method: str, path: str, **more: str) -> dict[str, str]:
    return {"REQUEST_METHOD": method, "PATH_INFO": path} | more


def test_a_probe_is_answered():
    """Its length is sent, so that the connection can be used again."""
    page = endpoint(server_version="1").page(environ("GET", "/liveness"))
    assert page is not None
    assert (page.status, page.body) == (200, b'{"status":"alive"}')
    assert dict(page.headers)["Content-Length"] == "18"
    assert dict(page.headers)["x-ms-server-version"] == "1"


@pytest.mark.parametrize("refused", [False, True])
def test_a_request_to_score_is_answered_with_the_headers_of_the_contract(refused: bool):
    """azmlinfsrv's headers, the answer's own, its length and its type."""
    asked = environ("POST", "/score", HTTP_X_REQUEST_ID="id", HTTP_X_MS_CLIENT_REQUEST_ID="mine")
    scoring = endpoint(server_version="1")
    response = (
        scoring.refuse(asked, Overloaded("Full."), 0.0)
        if refused
        else scoring.score(asked, b"[1]", 1.0, 0.0)
    )
    headers = dict(response.headers)
    assert float(headers.pop("x-ms-run-fn-exec-ms")) > 0
    assert (response.status, response.body) == (503, b"{}")
    assert headers == {
        "Content-Type": "application/json",
        "Content-Length": "2",
        "x-ms-server-version": "1",
        "x-ms-run-function-failed": "True",
        "x-request-id": "id",
        "x-ms-request-id": "mine",
        "x-ms-client-request-id": "mine",
        "Retry-After": "1",
    }


def test_without_a_clients_id_and_a_version_there_is_no_header_for_them():
    """``x-ms-request-id`` is the request's own id then."""
    request = Request("id", "trace", bytes)
    headers = dict(endpoint().headers(request, Answer(200, b"{}"), 0.0))
    assert not headers.keys() & {"x-ms-client-request-id", "x-ms-server-version"}
    assert (headers["x-ms-request-id"], headers["x-ms-run-function-failed"]) == ("id", "False")


@pytest.mark.parametrize("path", ["/score", "/score/", "//score"])
def test_score_is_found_with_slashes_too_many(path: str):
    """Joining a base URL and a path makes them."""
    assert endpoint().scores(environ("POST", path))


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/score", {}),
        ("POST", "/score/x", {}),
        ("POST", "/liveness", {}),
        ("GET", "/", {}),
        ("POST", "/score", {"HTTP_X_REQUEST_ID": "x" * 101}),
        ("POST", "/score", {"HTTP_TRACEID": "x"}),
        ("POST", "/score", {"HTTP_X_MS_REQUEST_ID": "x"}),
    ],
)
def test_everything_else_goes_to_flask(method: str, path: str, headers: dict[str, str]):
    """Other methods and paths, long ids and the server's tracing headers."""
    request = environ(method, path, **headers)
    assert not endpoint().scores(request)
    assert endpoint().page(request) is None


def test_all_goes_to_flask_when_the_server_needs_it():
    """The server's CORS headers, for one, belong on scores and probes."""
    aside = endpoint(ahead_of_flask=False)
    assert not aside.scores(environ("POST", "/score"))
    assert aside.page(environ("GET", "/liveness")) is None
    assert not aside.quick
