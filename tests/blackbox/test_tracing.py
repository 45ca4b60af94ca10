"""Traces of a real server, as a collector gets them by OTLP, and Azure Monitor by its own protocol."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import support
from blackbox.server import THREADS, serving, until

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@contextmanager
def listening(status: int = 200) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """-> its address, and what it was sent, by path."""
    got: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.path, gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body))
            answer = b'{"itemsReceived": 1, "itemsAccepted": 1, "errors": []}' if "track" in self.path else b""
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            """What was sent is in ``got``."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_spans_go_to_an_otlp_collector(demo_model: Path, tmp_path: Path):
    """In the caller's trace, which is also in the log line."""
    with listening() as (address, got):
        with serving(demo_model, tmp_path, **THREADS | {"OTEL_EXPORTER_OTLP_ENDPOINT": address}) as server:
            server.score({"data": [support.ROW]}, headers={"traceparent": f"00-{TRACE}-{CALLER}-01"})
            until(lambda: got, "there are spans")
            assert f'"trace":"{TRACE}"' in server.log
        path, body = got[0]
    assert path == "/v1/traces"
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    spans = {span.name: span for scope in resource.scope_spans for span in scope.spans}
    assert {"score", "read", "validate", "predict"} <= spans.keys()
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE}
    assert spans["score"].parent_span_id.hex() == CALLER


def test_spans_go_to_azure_monitor(demo_model: Path, tmp_path: Path):
    """By a connection string."""
    with listening() as (address, got):
        key = "InstrumentationKey=00000000-0000-0000-0000-000000000000"
        on = {"APPLICATIONINSIGHTS_CONNECTION_STRING": f"{key};IngestionEndpoint={address}/"}
        on |= {"APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true"}
        with serving(demo_model, tmp_path, **THREADS | on) as server:
            server.score({"data": [support.ROW]}, headers={"traceparent": f"00-{TRACE}-{CALLER}-01"})
            until(lambda: got, "there are spans")
    items = json.loads(got[0][1])
    assert {item["data"]["baseType"] for item in items} == {"RequestData", "RemoteDependencyData"}
    assert {item["tags"]["ai.operation.id"] for item in items} == {TRACE}


def test_a_collector_that_is_away_is_no_matter(demo_model: Path, tmp_path: Path):
    """Requests are answered, the log says it once, and SIGTERM is heard in time."""
    on = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{support.free_port()}", "SCORING_DRAIN_MS": "0"}
    with serving(demo_model, tmp_path, **THREADS | on) as server:
        assert {server.score({"data": [support.ROW]}).status_code for _ in range(20)} == {200}
        until(lambda: "Traces can't be sent" in server.log, "it is told")
        assert "Traceback" not in server.log[server.log.index(" completed in ") :]
