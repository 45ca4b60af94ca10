"""Azure ML's own collector in a real server; what listens for it is a server of ours."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import support
from blackbox.server import THREADS, serving, until


@contextmanager
def sidecar() -> Iterator[tuple[int, list[tuple[dict[str, str], Any]]]]:
    """Azure's container beside ours. -> its port, and what it was sent."""
    got: list[tuple[dict[str, str], Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append(({name.lower(): value for name, value in self.headers.items()}, json.loads(body)))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """What was sent is in ``got``."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1], got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_is_asked_and_answered_is_collected(demo_model: Path, tmp_path: Path):
    """Each with the id of its request."""
    with sidecar() as (port, got):
        on = {"AZUREML_MDC_ENABLED": "true", "AZUREML_MDC_PORT": str(port)}
        with serving(demo_model, tmp_path, **THREADS | on) as server:
            assert server.score({"data": [support.ROW]}, headers={"x-request-id": "mdc-1"}).status_code == 200
            server.score({"data": [["text"]]})
            until(lambda: len(got) == 2, "inputs and outputs are there")
    tables = {headers["ce-type"].rpartition(".")[2]: table for headers, table in got}
    assert [list(table[0].values()) for table in tables.values()] == [support.ROW, [1]]
    assert "mdc-1" in str([headers for headers, _ in got])


def test_nobody_who_listens_is_no_matter(demo_model: Path, tmp_path: Path):
    """Requests are answered as ever."""
    on = {"AZUREML_MDC_ENABLED": "true", "AZUREML_MDC_PORT": str(support.free_port())}
    with serving(demo_model, tmp_path, **THREADS | on) as server:
        statuses = {server.score({"data": [support.ROW]}).status_code for _ in range(20)}
    assert statuses == {200}


def test_a_configuration_that_can_not_be_read_is_no_matter(demo_model: Path, tmp_path: Path):
    """The log says so; the server starts."""
    with serving(demo_model, tmp_path, **THREADS | {"AZUREML_MDC_CONFIG_PATH": "/no/such.json"}) as server:
        assert server.score({"data": [support.ROW]}).status_code == 200
        until(lambda: "Data can't be collected" in server.log, "it is told")
