"""Traces of a real server: a collector gets them by OTLP, Azure Monitor by its own protocol."""

import json
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import support
from blackbox.listening import listening
from blackbox.server import ONE_WORKER, serving, until

pytestmark = pytest.mark.any_worker

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_spans_go_to_an_otlp_collector(scripted_model: Path, tmp_path: Path):
    """Spans belong to the caller's trace, which the log line names too."""
    with listening() as (port, got):
        on = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}
        with serving(scripted_model, tmp_path, **ONE_WORKER | on) as server:
            server.score([[0]], headers={"traceparent": f"00-{TRACE}-{CALLER}-01"})
            until(lambda: got, "there are spans")
            until(lambda: f'"trace":"{TRACE}"' in server.log, "the line is logged")
    assert got[0].path == "/v1/traces"
    (resource,) = ExportTraceServiceRequest.FromString(got[0].body).resource_spans
    spans = {span.name: span for scope in resource.scope_spans for span in scope.spans}
    assert {"score", "read", "validate", "predict"} <= spans.keys()
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE}
    assert spans["score"].parent_span_id.hex() == CALLER


def test_spans_go_to_azure_monitor(scripted_model: Path, tmp_path: Path):
    """A connection string turns the exporter on."""
    with listening(b'{"itemsReceived": 1, "itemsAccepted": 1, "errors": []}') as (port, got):
        key = "InstrumentationKey=00000000-0000-0000-0000-000000000000"
        on = {
            "APPLICATIONINSIGHTS_CONNECTION_STRING": f"{key};IngestionEndpoint=http://127.0.0.1:{port}/"
        }
        on |= {"APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true"}
        with serving(scripted_model, tmp_path, **ONE_WORKER | on) as server:
            server.score([[0]], headers={"traceparent": f"00-{TRACE}-{CALLER}-01"})
            until(lambda: got, "there are spans")
    items = json.loads(got[0].body)
    assert {item["data"]["baseType"] for item in items} == {"RequestData", "RemoteDependencyData"}
    assert {item["tags"]["ai.operation.id"] for item in items} == {TRACE}


def test_a_collector_that_is_away_is_no_matter(scripted_model: Path, tmp_path: Path):
    """Requests are answered, the log says it once, and SIGTERM works in time."""
    on = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{support.free_port()}",
        "SCORING_DRAIN_MS": "0",
    }
    with serving(scripted_model, tmp_path, **ONE_WORKER | on) as server:
        assert {server.score([[0]]).status_code for _ in range(20)} == {200}
        until(lambda: "Traces can't be sent" in server.log, "it is told")
        assert "Traceback" not in server.log[server.log.index(" completed in ") :]
