from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import StatusCode

from azureml_scoring.errors import ModelFailed, Overloaded, OverloadReason
from azureml_scoring.request import Outcome
from azureml_scoring.shared.measures import PREDICT, READ, REQUEST
from azureml_scoring.signals import tracing
from azureml_scoring.signals.tracing import Tracing

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
END = 10**18


class Spans(SpanExporter):
    def __init__(self, result: SpanExportResult = SpanExportResult.SUCCESS) -> None:
        self.got: list[ReadableSpan] = []
        self._result = result

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.got += spans
        return self._result


def sent(outcome: Outcome, exporter: Any = None) -> dict[str, ReadableSpan]:
    spans = exporter or Spans()
    hook = Tracing(spans, deployment="blue", now=lambda: END)
    hook(outcome)
    hook.flush()
    return {span.name: span for span in spans.got}


def done(**more: Any) -> Outcome:
    outcome = Outcome("r-1", None, TRACE, rows=3, model_name="m", model_version="1", **more)
    outcome.seconds[REQUEST], outcome.seconds[READ], outcome.seconds[PREDICT] = 0.004, 0.001, 0.002
    return outcome


def test_a_request_is_a_span_with_one_for_each_stage():
    """The stages follow one another within the request."""
    spans = sent(done())
    assert spans.keys() == {"score", "read", "predict"}
    score, read, predict = spans["score"], spans["read"], spans["predict"]
    assert (score.start_time, score.end_time) == (END - 4_000_000, END)
    assert (read.start_time, read.end_time, predict.end_time) == (
        END - 4_000_000,
        END - 3_000_000,
        END - 1_000_000,
    )
    assert {read.parent.span_id, predict.parent.span_id} == {score.context.span_id}  # type: ignore[union-attr]
    assert score.attributes
    assert score.attributes["request_id"] == "r-1"
    assert score.resource.attributes["service.name"] == "azureml-scoring"


def test_the_trace_is_that_of_the_log_line():
    """This holds with a caller's trace, whose span is the parent, and without one."""
    alone, called = sent(done()), sent(done(traceparent=f"00-{TRACE}-{CALLER}-01"))
    for spans in (alone, called):
        assert {f"{span.context.trace_id:032x}" for span in spans.values()} == {TRACE}
    assert alone["score"].parent is None
    assert called["score"].parent
    assert f"{called['score'].parent.span_id:016x}" == CALLER


def test_a_caller_who_does_not_sample_is_followed():
    """Nothing is sent for such a request."""
    assert sent(done(traceparent=f"00-{TRACE}-{CALLER}-00")) == {}


@pytest.mark.parametrize(("status", "expected"), [(422, StatusCode.UNSET), (500, StatusCode.ERROR)])
def test_a_failure_of_ours_is_an_error(status: int, expected: StatusCode):
    """A client's mistake is not an error of this service."""
    span = sent(done(status=status, error=ModelFailed("no")))["score"]
    assert span.status.status_code is expected
    assert span.attributes
    assert span.attributes["error.type"] == "model_failed"


def test_a_refusal_has_its_reason():
    """The span says why the service refused the request."""
    error = Overloaded("no", reason=OverloadReason.DEADLINE)
    span = sent(done(status=503, error=error))["score"]
    assert span.attributes
    assert span.attributes["reason"] == "deadline"


def test_what_can_not_be_sent_is_told_once(monkeypatch: pytest.MonkeyPatch):
    """There is no traceback for each batch."""
    told: list[str] = []
    monkeypatch.setattr("azureml_scoring.log.event", lambda message, *_: told.append(message))
    hook = Tracing(Spans(SpanExportResult.FAILURE), deployment="blue")
    for _ in range(3):
        hook(done())
        hook.flush()
    assert told == ["Traces can't be sent (it was refused); is the address right?"]


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({}, None),
        (
            {"APPLICATIONINSIGHTS_CONNECTION_STRING": "nonsense"},
            "APPLICATIONINSIGHTS_CONNECTION_STRING and the variables",
        ),
    ],
)
def test_an_address_that_is_none_does_not_stop_the_start(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], says: str | None
):
    """The log says what to check."""
    told: list[str] = []
    monkeypatch.setattr("azureml_scoring.log.event", lambda message, *_: told.append(message))
    assert tracing.find("blue", environment) is None
    assert len(told) == (says is not None)
    assert all(str(says) in line for line in told)


def test_there_is_one_provider(monkeypatch: pytest.MonkeyPatch):
    """If the server makes traces itself, we make none."""
    told: list[str] = []
    monkeypatch.setattr("azureml_scoring.log.event", lambda message, *_: told.append(message))
    monkeypatch.setattr(trace, "get_tracer_provider", TracerProvider)
    assert tracing.find("blue", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}) is None
    assert "makes traces of its own" in told[0]
