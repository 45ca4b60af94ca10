"""Spans of each request, sent by OTLP or to Azure Monitor if OpenTelemetry's own variables name an
address.

A request that is done leaves its times, and a thread sends them. No failure here reaches a request
or ``init()``.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from azureml_scoring import log
from azureml_scoring.errors import Overloaded
from azureml_scoring.request import Outcome
from azureml_scoring.shared.measures import REQUEST, STAGES

OTLP_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
AZURE_MONITOR_VARIABLE = "APPLICATIONINSIGHTS_CONNECTION_STRING"
SEND_INTERVAL_MS = 1000


class Tracing:
    """A hook for ``Service`` that makes the spans of a request.

    Only the duration of a stage is known, not its start, so the spans of a request's stages follow
    one another. ``OTEL_TRACES_SAMPLER`` chooses the sampler; by default every request is sampled
    unless its caller says otherwise.
    """

    def __init__(
        self, exporter: SpanExporter, *, deployment: str, now: Callable[[], int] = time.time_ns
    ) -> None:
        resource = Resource({SERVICE_NAME: "azureml-scoring", "deployment": deployment})
        self._ids = _TracesOfRequests()
        self._now = now
        provider = TracerProvider(
            resource=resource.merge(OTELResourceDetector().detect()),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        delay = int(os.environ.get("OTEL_BSP_SCHEDULE_DELAY") or SEND_INTERVAL_MS)
        provider.add_span_processor(
            BatchSpanProcessor(_Quiet(exporter), schedule_delay_millis=delay)
        )
        self.flush = provider.force_flush
        self._tracer = provider.get_tracer("azureml-scoring")
        self._propagator = TraceContextTextMapPropagator()

    def __call__(self, outcome: Outcome) -> None:
        ended = self._now()
        at = ended - int(outcome.seconds[REQUEST] * 1e9)
        self._ids.trace.id = int(outcome.trace, 16)
        caller = {"traceparent": outcome.traceparent} if outcome.traceparent else {}
        span = self._tracer.start_span(
            "score",
            self._propagator.extract(caller, Context()),
            SpanKind.SERVER,
            _attributes(outcome),
            start_time=at,
        )
        if not span.is_recording():
            return
        if outcome.status >= 500:
            span.set_status(StatusCode.ERROR)
        inside = trace.set_span_in_context(span, Context())
        for stage, name in enumerate(STAGES):
            if stage != REQUEST and outcome.seconds[stage]:
                child = self._tracer.start_span(name, inside, start_time=at)
                at += int(outcome.seconds[stage] * 1e9)
                child.end(at)
        span.end(ended)


def _attributes(outcome: Outcome) -> dict[str, str | int]:
    attributes = {
        "http.response.status_code": outcome.status,
        "error.type": outcome.error.code if outcome.error else None,
        "reason": str(outcome.error.reason) if isinstance(outcome.error, Overloaded) else None,
        "request_id": outcome.request_id,
        "rows": outcome.rows,
        "cache": str(outcome.cache),
        "model_name": outcome.model_name,
        "model_version": outcome.model_version,
    }
    return {name: value for name, value in attributes.items() if value is not None}


class _TracesOfRequests(IdGenerator):
    """Gives a request without a caller's trace the id that its log line and its answer have."""

    def __init__(self) -> None:
        self.trace = threading.local()

    def generate_trace_id(self) -> int:
        trace_id: int = self.trace.id
        return trace_id

    def generate_span_id(self) -> int:
        return random.getrandbits(64) or 1


class _Quiet(SpanExporter):
    """Logs once that traces can't be sent, where OpenTelemetry logs a traceback for each batch."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._logged = False
        logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
        logging.getLogger("azure.monitor.opentelemetry.exporter").setLevel(logging.CRITICAL)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result, reason = self._exporter.export(spans), "it was refused"
        except Exception as error:
            result, reason = SpanExportResult.FAILURE, type(error).__name__
        if result is not SpanExportResult.SUCCESS and not self._logged:
            self._logged = True
            log.event(f"Traces can't be sent ({reason}); is the address right?", logging.WARNING)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


def find(deployment: str, environment: Mapping[str, str] = os.environ) -> Tracing | None:
    """Return the hook, or None if there is no address, the server makes traces itself, or tracing
    fails to start."""
    if not any(environment.get(name) for name in (*OTLP_VARIABLES, AZURE_MONITOR_VARIABLE)):
        return None
    if isinstance(trace.get_tracer_provider(), TracerProvider):
        log.event(
            "The server's Application Insights makes traces of its own, so this service makes none."
        )
        return None
    try:
        return Tracing(_exporter(environment), deployment=deployment)
    except ModuleNotFoundError as error:
        reason = f"{error.name} is not installed; add the extra tracing to the environment"
    except Exception as error:
        reason = (
            f"{type(error).__name__}; check {AZURE_MONITOR_VARIABLE} and the variables that begin "
            f"with OTEL_"
        )
    log.event(f"There are no traces: {reason}.", logging.WARNING)
    return None


def _exporter(environment: Mapping[str, str]) -> SpanExporter:
    if any(environment.get(name) for name in OTLP_VARIABLES):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter()
    from azure.monitor.opentelemetry.exporter import AzureMonitorTraceExporter

    exporter: SpanExporter = AzureMonitorTraceExporter(
        connection_string=environment[AZURE_MONITOR_VARIABLE]
    )
    return exporter
