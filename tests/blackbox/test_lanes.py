"""Our worker and Flask under gunicorn's own worker give the same answers."""

import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

import support
from azureml_scoring.outputs.encoders import ENCODERS
from blackbox.server import ONE_WORKER, PATIENCE, Server, serving
from blackbox.test_contract import ROWS, in_full
from blackbox.test_fuzz import DOCUMENTS, HEADERS, MANY

CONTRACT = (
    "content-type",
    "retry-after",
    "allow",
    "traceid",
    "x-request-id",
    "x-ms-request-id",
    "x-ms-client-request-id",
    "x-ms-run-function-failed",
    "x-ms-server-version",
    "x-model-name",
    "x-model-version",
    "x-scoring-cache",
)
pytestmark = pytest.mark.any_worker

GENERATED = re.compile(
    r"\d{13}-\d+|[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:.]+Z"
)
"""Ids, trace ids and times that differ from request to request."""

ENV = ONE_WORKER | {"SCORING_CACHE": "off", "SCORING_ACCESS_LOG": "true"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def lanes(
    demo_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Server]]:
    """Run our worker, and Flask under gunicorn's worker."""
    folders = tmp_path_factory.mktemp("ours"), tmp_path_factory.mktemp("flask")
    with (
        serving(demo_model, folders[0], **ENV, SCORING_FAST_WORKER="true") as ours,
        serving(demo_model, folders[1], **ENV, SCORING_FAST_WORKER="false") as flask,
    ):
        yield ours, flask


def ask(
    server: Server, body: bytes, headers: dict[str, str], method: str = "POST", path: str = "/score"
) -> Any:
    """Return status, body and contract headers, without what is generated."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    try:
        connection.putrequest(method, path)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            connection.putheader(name, value.encode("latin-1"))
        connection.endheaders(body)
        response = connection.getresponse()
        raw = response.read()
    finally:
        connection.close()
    found = {name: GENERATED.sub("*", response.headers.get(name, "-")) for name in CONTRACT}
    if found["content-type"] != "application/json":
        return response.status, raw, found
    document = json.loads(GENERATED.sub("*", raw.decode()))
    if isinstance(document, dict) and "predictions" in document:
        del document["metadata"]["inference_time_ms"]
    return response.status, document, found


def same(lanes: tuple[Server, Server], *request: Any) -> Any:
    ours, flask = (ask(server, *request) for server in lanes)
    assert ours == flask
    return ours


@pytest.mark.parametrize("body", [row[0] for row in ROWS])
def test_what_the_readme_shows_is_the_same_in_both(lanes: tuple[Server, Server], body: str):
    """The README's good and bad requests get the same answers."""
    sent, media_type = in_full(body)
    same(lanes, sent, {"Content-Type": media_type})
    same(lanes, json.dumps({"data": [support.ROW]}).encode(), JSON)


@MANY
@given(document=DOCUMENTS)
def test_any_document_is_answered_the_same(lanes: tuple[Server, Server], document: object):
    """Nearly valid documents and others get the same answers."""
    same(lanes, json.dumps(document).encode("utf-8", "surrogatepass"), JSON)


@MANY
@given(headers=HEADERS)
def test_any_headers_are_treated_the_same(lanes: tuple[Server, Server], headers: dict[str, str]):
    """Ids too long or forged, encodings and content types get the same answers."""
    same(lanes, json.dumps([support.ROW]).encode(), JSON | headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"TraceId": "office"},
        {"x-ms-request-id": "legacy"},
        {"x-request-id": "mine", "x-ms-client-request-id": "theirs"},
        {"x-request-id": "x" * 101},
        {"x-ms-client-request-id": "x" * 101},
        {"Cache-Control": "no-store"},
        {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
    ],
    ids=str,
)
def test_ids_come_back_the_same(lanes: tuple[Server, Server], headers: dict[str, str]):
    """The same ids stand in the headers and in the body."""
    same(lanes, json.dumps([support.ROW]).encode(), JSON | headers)


@pytest.mark.parametrize("accept", [*ENCODERS, "text/*, */*;q=0.5", "image/png", "text/csv;q=0"])
def test_other_forms_of_the_answer_are_the_same(lanes: tuple[Server, Server], accept: str):
    """Byte by byte, with the headers that tell of the model."""
    body = json.dumps({"data": [support.ROW] * 2, "method": "predict_proba"}).encode()
    status, answer, headers = same(lanes, body, JSON | {"Accept": accept})
    assert (status == 200) == isinstance(answer, bytes) == (headers["x-model-version"] != "-")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize(
    "path", ["/score/", "/readiness", "/liveness", "/", "/nothing", "/swagger.json?version=3"]
)
def test_other_paths_and_methods_are_the_servers_as_ever(
    lanes: tuple[Server, Server], method: str, path: str
):
    """Our worker leaves other paths and methods to Flask."""
    answers = []
    for server in lanes:
        response = server.client.request(method, path)
        answers.append(
            (
                response.status_code,
                GENERATED.sub("*", response.text),
                response.headers.get("content-type"),
            )
        )
    assert answers[0] == answers[1]


@pytest.mark.parametrize("path", ["//score", "/score/", "//score/", "///score"])
def test_score_is_found_with_slashes_too_many(lanes: tuple[Server, Server], path: str):
    """Joining a base URL and a path makes such slashes; both workers read the body as usual."""
    status, document, _ = same(
        lanes, json.dumps({"data": [support.ROW]}).encode(), JSON, "POST", path
    )
    assert (status, document["predictions"]) == (200, [1])
    status, document, _ = same(lanes, b"", {}, "PUT", path)
    assert (status, document.get("code")) == (405, "method_not_allowed")


@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS"])
def test_score_by_another_method_is_turned_down_the_same(lanes: tuple[Server, Server], method: str):
    """The refusal has our format."""
    same(lanes, b"", {}, method)


def test_the_lanes_are_two(lanes: tuple[Server, Server]):
    """Only Flask's way writes the server's own lines, so the comparison means something."""
    said = []
    for server in lanes:
        before = len(server.log)
        server.score([support.ROW])
        said.append("POST /score 200" in server.log[before:])
    assert said == [False, True]


@pytest.mark.parametrize(
    "env", [{"AML_CORS_ORIGINS": "https://a.example"}, {"SCORING_TIMEOUT_MS": "60000"}], ids=str
)
def test_flask_answers_where_the_server_has_more_to_do(
    scripted_model: Path, tmp_path: Path, env: dict[str, str]
):
    """The server's CORS headers and its own timeout work as documented."""
    with serving(scripted_model, tmp_path, **env, SCORING_ACCESS_LOG="true") as server:
        answer = server.score([[0]], headers={"Origin": "https://a.example"})
        assert answer.status_code == 200
        assert "POST /score 200" in server.log
        assert ("access-control-allow-origin" in answer.headers) == ("AML_CORS_ORIGINS" in env)
