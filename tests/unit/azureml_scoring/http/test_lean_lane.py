from types import SimpleNamespace
from typing import Any

import pytest

from azureml_scoring.http.lean_lane import STATUS_LINES, LeanLane, steps_aside_for
from azureml_scoring.request import Answer, Request

PLAIN = {"app_insights_enabled": False, "cors_origins": None}


def lane() -> LeanLane:
    def reader(environ: Any) -> Request:
        return Request("id", "trace", bytes, environ.get("HTTP_X_MS_CLIENT_REQUEST_ID"))

    service: Any = SimpleNamespace(score=lambda request: Answer(503, b"{}", {"Retry-After": "1"}))
    pages: Any = {"/liveness": lambda: Answer(200, b'{"status":"alive"}')}
    return LeanLane(lambda environ, start: [b"inner"], service, reader, pages, server_version="1")  # type: ignore[arg-type]


def ask(method: str, path: str, **environ: str) -> tuple[bytes, list[Any]]:
    started: list[Any] = []
    body = lane()(
        {"REQUEST_METHOD": method, "PATH_INFO": path} | environ,
        lambda *given: started.extend(given),
    )
    return b"".join(body), started


def test_score_and_probes_are_answered_here():
    """With a length, so that the connection can be used again."""
    body, (status, headers) = ask("POST", "/score", HTTP_X_MS_CLIENT_REQUEST_ID="mine")
    assert (body, status) == (b"{}", "503 Service Unavailable")
    found = dict(headers)
    assert found["x-ms-server-version"] == "1"
    assert (found["Content-Length"], found["Retry-After"], found["x-ms-run-function-failed"]) == (
        "2",
        "1",
        "True",
    )
    assert (found["x-request-id"], found["x-ms-client-request-id"], found["x-ms-request-id"]) == (
        "id",
        "mine",
        "mine",
    )
    assert ask("GET", "/liveness")[0] == b'{"status":"alive"}'


@pytest.mark.parametrize(
    ("method", "path", "environ"),
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
def test_everything_else_goes_on(method: str, path: str, environ: dict[str, str]):
    """To the server."""
    assert ask(method, path, **environ) == (b"inner", [])


@pytest.mark.parametrize("client_id", [None, "mine"])
@pytest.mark.parametrize("version", ["", "1"])
@pytest.mark.parametrize(
    "answer", [Answer(200, b"{}"), Answer(503, b"{}", {"Retry-After": "1"})], ids=["good", "shed"]
)
def test_what_is_written_is_what_is_returned(answer: Answer, version: str, client_id: str | None):
    """The same status, headers and body, whichever server writes them; only the time that it took
    is another."""
    service: Any = SimpleNamespace(score=lambda request: answer)
    both = LeanLane(pytest.fail, service, None, {}, server_version=version)  # type: ignore[arg-type]
    request = Request("id", "trace", bytes, client_id)
    status, headers, body = both.score(request, 0.0)
    written = both.written(request, 0.0, "date: today\r\n", answer)
    head, _, rest = written.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    found = {tuple(line.split(": ", 1)) for line in lines}
    assert (first, rest.encode()) == (f"HTTP/1.1 {STATUS_LINES[status]}", body)
    assert {name for name, _ in found} == {name for name, _ in headers} | {"date"}
    assert {pair for pair in headers if pair[0] != "x-ms-run-fn-exec-ms"} <= found


@pytest.mark.parametrize(
    ("server", "environ", "reason"),
    [
        ({}, {}, None),
        ({"app_insights_enabled": True}, {}, "Application Insights"),
        ({"cors_origins": "*"}, {}, "CORS"),
        ({}, {"SCORING_TIMEOUT_MS": "100"}, "SCORING_TIMEOUT_MS"),
    ],
)
def test_it_steps_aside_for_what_lives_in_flask(
    server: dict[str, Any], environ: dict[str, str], reason: str | None
):
    """And names it."""
    assert steps_aside_for(SimpleNamespace(**PLAIN | server), environ) == reason
