"""What a client sees, the same under both configurations."""

import gzip
import io
import json
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import columnar_forms
import support
from azureml_scoring.errors import ScoringError
from azureml_scoring.inputs.media_types import CSV, JSON
from azureml_scoring.request import CacheState
from blackbox.server import REPOSITORY, Server, needs

PAGE = (Path(__file__).parents[2] / "docs" / "requests.md").read_text()
ROWS = re.findall(r"^\| `(.*?)` \| (\d{3})(?: `(\w+)`)?(?: at `(.*?)`)? \|", PAGE, re.MULTILINE)
BODY = json.dumps({"data": [support.ROW]})
MIDDLE = dict(zip(support.NAMES[1:-1], support.ROW[1:-1], strict=True))
OMITTED = {
    r'…(?=, "s6": \[)': ", ".join(f'"{name}": [{value}]' for name, value in MIDDLE.items()),
    r'…(?=, "s6": )': ", ".join(f'"{name}": {value}' for name, value in MIDDLE.items()),
    r'…(?=, "s6")': ", ".join(f'"{name}"' for name in MIDDLE),
    r"…(?=,s6)": ",".join(MIDDLE),
    "…": ",".join(map(str, MIDDLE.values())),
}
"""An ellipsis in the table, by what comes after it -> what it stands for."""


def in_full(body: str) -> tuple[bytes, str]:
    """Return a body of the table without its ellipses, and its media type."""
    for ellipsis, omitted in OMITTED.items():
        body = re.sub(ellipsis, omitted, body)
    media_type = JSON if body[0] in "{[" or body == "null" else CSV
    return body.replace("↵", "\n").encode(), media_type


def test_the_page_of_requests_has_its_table():
    """The next test can't pass on an empty table."""
    assert len(ROWS) > 15


def test_the_page_of_requests_lists_every_error():
    """The page has each code under its status, and no other code."""
    rows = re.findall(r"^\| (\d{3}) \| (`.*?`) \|", PAGE, re.MULTILINE)
    listed = {(code, int(status)) for status, codes in rows for code in re.findall(r"\w+", codes)}
    assert listed == {(error.code, int(error.status)) for error in coded(ScoringError)}


def coded(base: type[ScoringError]) -> Iterator[type[ScoringError]]:
    """The errors below `base` that have a code of their own."""
    for error in base.__subclasses__():
        if "code" in vars(error):
            yield error
        yield from coded(error)


@pytest.mark.parametrize(("body", "status", "code", "location"), ROWS)
def test_the_table_of_requests_is_true(
    demo: Server, body: str, status: str, code: str, location: str
):
    """Each request in the table gets the answer that the table shows; … stands for omitted
    values."""
    body, media_type = in_full(body)
    response = demo.client.post("/score", content=body, headers={"Content-Type": media_type})
    answer = response.json()
    assert response.status_code == int(status)
    if status == "200":
        assert set(answer) == {"predictions", "metadata"}
    else:
        assert (answer["code"], answer["location"] or "") == (code, location)


def binary_forms() -> dict[str, tuple[bytes, str]]:
    sent = columnar_forms.table([*support.NAMES, "id"], [[*support.ROW, "x"]])
    return {form: make(sent) for form, make in columnar_forms.FORMS.items()} | {
        "npy": columnar_forms.as_npy(np.array([support.ROW]))
    }


def test_binary_forms_get_the_answers_of_json(demo: Server):
    """Each media type of the page, and a damaged body of each is refused as such."""
    listed = set(re.findall(r"`(application/(?:vnd\.apache|x-npy)[\w.]*)`", PAGE))
    expected = demo.score({"data": [support.ROW]}).json()["predictions"]
    for form, (body, media_type) in binary_forms().items():
        headers = {"Content-Type": media_type}
        response = demo.client.post("/score", content=body, headers=headers)
        assert response.json()["predictions"] == expected, form
        response = demo.client.post("/score", content=body[: len(body) // 2], headers=headers)
        assert response.json()["code"].startswith("malformed_"), form
        listed.discard(media_type)
    assert not listed


OTHER_FORMS = PAGE.partition("## The answer in another form")[2].partition("\n## ")[0]

READERS: dict[str, Callable[[bytes], list[list[float]]]] = {
    "text/csv": lambda body: [
        [float(cell) for cell in line.split(",")] for line in body.decode().splitlines()[1:]
    ],
    "application/vnd.apache.arrow.stream": lambda body: rows(pa.ipc.open_stream(body).read_all()),
    "application/vnd.apache.parquet": lambda body: rows(pq.read_table(io.BytesIO(body))),
    "application/x-npy": lambda body: np.load(io.BytesIO(body)).tolist(),
}


def rows(table: pa.Table) -> list[list[float]]:
    return [list(row.values()) for row in table.to_pylist()]


def test_the_answer_has_the_form_that_the_client_asks_for(demo: Server):
    """Each form of the page holds the numbers of JSON; headers tell of the request and model."""
    forms = re.findall(r"^\| `(\w+/[\w.-]+)` \|", OTHER_FORMS, re.MULTILINE)
    assert {*forms} == READERS.keys()
    body = {"data": [support.ROW] * 2, "method": "predict_proba"}
    expected = demo.score(body).json()["predictions"]
    for form in forms:
        response = demo.score(body, headers={"Accept": form, "x-request-id": "table-1"})
        assert response.headers["content-type"].partition(";")[0] == form
        assert READERS[form](response.content) == expected, form
        assert response.headers["x-request-id"] == "table-1"
        assert response.headers["x-model-name"] == "diabetes-classifier"
        assert response.headers["x-model-version"] == "v1.2.3"
        assert response.headers["x-scoring-cache"] in [*CacheState]


def test_a_form_that_is_not_there_is_refused_in_json(demo: Server):
    """The error names those that are."""
    response = demo.score({"data": [support.ROW]}, headers={"Accept": "image/png"})
    assert (response.status_code, response.json()["code"]) == (406, "not_acceptable")
    assert all(form in response.json()["error"] for form in READERS)


def test_the_commands_for_other_forms_of_the_answer_work(demo: Server, tmp_path: Path):
    """Pasted into a shell, the first prints what the page shows, the second writes a file."""
    needs("curl")
    (tmp_path / "endpoints").symlink_to(REPOSITORY / "endpoints")
    (commands,) = re.findall(r"```bash\n(.*?)```", OTHER_FORMS, re.DOTALL)
    (shown,) = re.findall(r"```csv\n(.*?)```", OTHER_FORMS, re.DOTALL)
    script = commands.replace("localhost:5001", demo.url).replace("curl ", "curl -sS ")
    done = subprocess.run(
        ["bash", "-euc", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == shown
    assert pq.read_table(tmp_path / "predictions.parquet").to_pydict() == {"prediction": [1]}


def test_an_answer_is_complete_and_fresh(demo: Server):
    """An answer has all of the guide's metadata, and its bytes are JSON encoded once, not twice."""
    response = demo.score({"data": [support.ROW] * 3})
    assert response.headers["content-type"] == "application/json"
    body = json.loads(response.content)
    assert isinstance(body, dict)
    assert body["predictions"] == [1, 1, 1]
    metadata = body["metadata"]
    assert list(metadata) == [
        "model_name", "model_version", "deployment", "request_id",
        "inference_time_ms", "timestamp", "num_predictions", "cache",
    ]  # fmt: skip
    assert (metadata["model_name"], metadata["model_version"]) == ("diabetes-classifier", "v1.2.3")
    assert (metadata["deployment"], metadata["num_predictions"]) == ("production", 3)
    assert re.fullmatch(r"\d{13}-\d+", metadata["request_id"])
    assert metadata["inference_time_ms"] > 0
    age = datetime.now(UTC) - datetime.fromisoformat(metadata["timestamp"])
    assert abs(age) < timedelta(minutes=5)


def test_probabilities_can_be_asked_for(demo: Server):
    """A client may choose any method that the model has."""
    ((low, high),) = demo.score({"data": [support.ROW], "method": "predict_proba"}).json()[
        "predictions"
    ]
    assert low + high == pytest.approx(1)


def test_the_clients_id_is_echoed_and_logged(demo: Server):
    """A client's id is in the headers, in the metadata and in the log line."""
    response = demo.score(
        {"data": [support.ROW]},
        headers={"x-request-id": "my-id-1", "x-ms-client-request-id": "mine"},
    )
    assert response.headers["x-request-id"] == "my-id-1"
    assert response.headers["x-ms-client-request-id"] == "mine"
    assert response.json()["metadata"]["request_id"] == "my-id-1"
    (line,) = demo.logged("my-id-1")
    assert re.fullmatch(r"Request my-id-1 completed in \d+\.\d\dms", line["message"])
    assert line["client_request_id"] == "mine"


def test_without_an_id_header_and_body_have_the_same_new_one(demo: Server):
    """The server does not put another id into the header."""
    response = demo.score({"data": [support.ROW]})
    assert response.headers["x-request-id"] == response.json()["metadata"]["request_id"]


def test_the_callers_trace_is_in_errors(demo: Server):
    """An error has the trace id of the W3C traceparent."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    response = demo.score({"data": []}, headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert response.json()["trace"] == trace


def test_curl_without_a_json_content_type_is_told_so(demo: Server):
    """A common mistake with curl gets an answer that explains it."""
    needs("curl")
    done = subprocess.run(
        ["curl", "-s", f"{demo.url}/score", "-d", BODY], capture_output=True, text=True, check=True
    )
    answer = json.loads(done.stdout)
    assert (answer["status"], answer["code"]) == (415, "unsupported_content_type")
    assert "-H 'Content-Type: application/json'" in answer["error"]


def test_a_gzip_body_is_taken(demo: Server):
    """A body may be compressed, as Azure's clients can send it."""
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    response = demo.client.post("/score", content=gzip.compress(BODY.encode()), headers=headers)
    assert response.json()["predictions"] == [1]


def test_a_gzip_bomb_is_refused(demo: Server):
    """20 KB that would expand to 20 MB get 413."""
    bomb = gzip.compress(b" " * 20_000_000)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    response = demo.client.post("/score", content=bomb, headers=headers)
    assert (response.status_code, response.json()["error"]) == (
        413,
        "Request payload too large (>10MB)",
    )


@pytest.mark.parametrize("chunked", [False, True])
def test_a_client_that_sends_too_much_gets_to_read_why(demo: Server, chunked: bool):
    """The connection does not break: the rest of the body is read and thrown away."""
    body = b" " * 30_000_000
    content = (body[i : i + 1_000_000] for i in range(0, len(body), 1_000_000)) if chunked else body
    response = demo.client.post(
        "/score", content=content, headers={"Content-Type": "application/json"}
    )
    assert (response.status_code, response.json()["code"]) == (413, "payload_too_large")


@pytest.mark.parametrize("rest", [b"", b"zz\r\n", b"5\r\nabc"], ids=["cut", "no size", "cut chunk"])
def test_a_chunked_body_that_breaks_off_is_not_taken_for_a_whole_one(demo: Server, rest: bytes):
    """An incomplete body is refused, even if its part is valid JSON."""
    body = BODY.encode()
    head = (
        b"POST /score HTTP/1.1\r\nHost: h\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", demo.port), timeout=20) as connection:
        connection.sendall(head + f"{len(body):x}\r\n".encode() + body + b"\r\n" + rest)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 400")
    assert b'"code":"incomplete_body"' in answer


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_other_methods_get_405_in_our_form(demo: Server, method: str):
    """405 has Allow and our format, whether azmlinfsrv refused the method or we did."""
    response = demo.client.request(method, "/score")
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert response.headers["allow"] == "POST, OPTIONS"


@pytest.mark.parametrize("path", ["/", "/v2"])
def test_a_method_that_a_page_lacks_gets_405_with_those_it_has(demo: Server, path: str):
    """As RFC 9110 demands."""
    response = demo.fresh("TRACE", path)
    assert response.status_code == 405
    assert "GET" in response.headers["allow"]


def test_an_id_that_the_server_turns_down_gets_our_form(demo: Server):
    """azmlinfsrv limits ids to 100 characters; its refusal gets our format."""
    response = demo.score({"data": [support.ROW]}, headers={"x-request-id": "a" * 101})
    assert (response.status_code, response.json()["code"]) == (431, "request_id_too_long")


def test_every_error_is_json_with_all_fields(demo: Server):
    """All errors have one format."""
    for response in (
        demo.score([]),
        demo.client.get("/score"),
        demo.client.post("/score", content=b"x"),
    ):
        body = response.json()
        assert list(body) == ["error", "code", "status", "location", "trace", "metadata"]
        assert body["status"] == response.status_code
        assert list(body["metadata"]) == ["request_id", "timestamp", "model_version"]


def test_the_probes_have_routes(demo: Server):
    """Probes are on the server's own port and answer JSON."""
    health = demo.get("/health")
    assert health.status_code == 200
    assert health.json()["model_name"] == "diabetes-classifier"
    assert (demo.get("/readiness").json(), demo.get("/liveness").json()) == (
        {"status": "ready"},
        {"status": "alive"},
    )


def test_the_log_has_one_json_line_a_request_and_no_values(demo: Server):
    """The log holds no values, neither of good requests nor of bad ones."""
    demo.score({"data": [[7777.125, *support.ROW[1:]]]}, headers={"x-request-id": "v-1"})
    demo.score({"data": [["secret-7777", *support.ROW[1:]]]}, headers={"x-request-id": "v-2"})
    demo.score({"data": [[1e308] * 10]}, headers={"x-request-id": "v-3"})
    levels = [(line["level"], line["status"]) for line in demo.logged("v-1", "v-2", "v-3")]
    assert levels == [("info", 200), ("warning", 422), ("warning", 422)]
    assert "7777.125" not in demo.log
    assert "secret-7777" not in demo.log
    assert "HTTP/1.1" not in demo.log, "no access log beside it"
    assert "1e308" not in demo.log
    assert "e+308" not in demo.log
