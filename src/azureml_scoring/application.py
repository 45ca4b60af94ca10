"""Builds all parts of one worker process from the settings, and starts them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson

from azureml_scoring.admission.admission import Admission
from azureml_scoring.allocator import give_back_what_is_freed
from azureml_scoring.body_budget import MEMORY_SHARE, BodyBudget, container_memory
from azureml_scoring.caching.setup import response_cache
from azureml_scoring.errors import StartupError
from azureml_scoring.http import process
from azureml_scoring.http.body_reader import BodyReader
from azureml_scoring.http.endpoint import ScoringEndpoint
from azureml_scoring.http.flask_routes import HttpScoring, mount
from azureml_scoring.http.open_inference import OpenInference
from azureml_scoring.http.openapi.document import SwaggerPage
from azureml_scoring.http.pages import pages_of
from azureml_scoring.http.request_reader import RequestReader
from azureml_scoring.http.try_it.page import TryItPage
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.models.lifecycle import Lifecycle
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.request import Hook
from azureml_scoring.service import Service
from azureml_scoring.settings import Settings
from azureml_scoring.shared.cache_counts import CacheCounts
from azureml_scoring.shared.scoreboard import Scoreboard
from azureml_scoring.signals import data_sinks, tracing
from azureml_scoring.signals.data_collection import DataCollection, collected
from azureml_scoring.signals.drift import MOST_PER_SECOND, DriftMonitor
from azureml_scoring.signals.health import Health, RequestCounter
from azureml_scoring.signals.metrics import Metrics
from azureml_scoring.signals.request_bins import watched
from azureml_scoring.signals.request_log import RequestLog

RESERVED_THREADS = 4
"""Threads of a worker that do not score: they answer probes and refuse requests while every slot is
busy."""


@dataclass(frozen=True)
class Application:
    """The parts of one worker process."""

    service: Service
    health: Health
    metrics: Metrics
    lifecycle: Lifecycle
    reader: RequestReader
    http: HttpScoring
    protocol: OpenInference
    swagger: SwaggerPage

    def run(self, request: Any) -> Any:
        """Answer the server's request with its response, anything else with a dict."""
        if hasattr(request, "environ"):
            return self.http(request)
        return orjson.loads(self.service.score(self.reader.plain(request)).body)


def build(settings: Settings) -> Application:
    """Build everything but the model, which ``start`` loads. Raises StartupError."""
    board = Scoreboard(process.master_pid())
    lifecycle = Lifecycle(lambda: board.mine)
    cache_counts = CacheCounts(lambda: board.mine)
    cache = response_cache(settings, cache_counts)
    limits = Limits.of(settings)
    deadline = settings.scoring_deadline_ms / 1000
    admission = Admission(
        lambda: board.mine,
        slots=settings.scoring_slots or settings.processors,
        lend=not settings.scoring_slots,
        max_in_flight=in_flight_limit(settings, process.threads()),
        objective=settings.scoring_latency_objective_ms / 1000,
        deadline=deadline,
    )
    os.register_at_fork(after_in_child=admission.slots.publish)  # WORKER_PRELOAD
    log = RequestLog(
        expose_traceback=settings.scoring_expose_traceback,
        share=settings.scoring_log_sample,
        deployment=settings.deployment_name,
    )
    drift = DriftMonitor(board, lambda: lifecycle.loaded)
    hooks: list[Hook] = [RequestCounter(board, cache_counts), log]
    hooks += _data_collections(settings, board, lifecycle, drift)
    if traces := tracing.find(settings.deployment_name):
        hooks.append(traces)
    service = Service(
        lifecycle,
        admission,
        cache,
        limits,
        deployment=settings.deployment_name,
        null_for_non_finite=settings.scoring_non_finite_output == "null",
        overload_status=int(settings.scoring_overload_status),
        expose_traceback=settings.scoring_expose_traceback,
        hooks=hooks,
    )
    health = Health(
        board,
        lifecycle,
        deployment=settings.deployment_name,
        cache_tiers=cache.tier_names,
        saturated_after=deadline,
        stuck_after=settings.scoring_stuck_after_ms / 1000,
    )
    workers = settings.worker_count
    budget = BodyBudget(
        settings.scoring_max_body_bytes_in_flight or container_memory() // MEMORY_SHARE // workers
    )
    body = BodyReader(limits, budget, timeout_s=settings.scoring_body_timeout_ms / 1000)
    reader = RequestReader(body, first=lambda: board.index % workers + 1, step=workers)
    metrics = Metrics(
        board,
        lifecycle,
        drift,
        deployment=settings.deployment_name,
        ready=lambda: health.readiness()[1] == HTTPStatus.OK,
    )
    return Application(
        service,
        health,
        metrics,
        lifecycle,
        reader,
        HttpScoring(service, reader),
        OpenInference(service, reader, lifecycle, health),
        SwaggerPage(lifecycle, limits, int(settings.scoring_overload_status)),
    )


def _data_collections(
    settings: Settings, board: Scoreboard, lifecycle: Lifecycle, drift: DriftMonitor
) -> Iterator[DataCollection[Any]]:
    """Yield Azure ML's collector, whose share its own YAML sets, and ours."""

    def drop() -> None:
        board.mine.data_dropped += 1

    if data_sinks.azure_wanted():
        yield DataCollection(lambda: data_sinks.azure(lifecycle.model), collected, drop=drop)
    if share := settings.scoring_collect_sample:
        yield DataCollection(drift.open_sink, watched, most=MOST_PER_SECOND, drop=drop)
        if folder := settings.scoring_collect_folder:
            yield DataCollection(
                lambda: data_sinks.files(lifecycle.model, folder), collected, share=share, drop=drop
            )


def start(settings: Settings) -> Application:
    """Build everything, load the model and open the routes. Raises StartupError."""
    if process.worker():
        give_back_what_is_freed()
    if settings.scoring_fast_worker:
        process.take_over()
    application = build(settings)
    admission = application.service.admission
    if settings.scoring_model_load == "background":
        if settings.worker_preload:
            raise StartupError(
                "SCORING_MODEL_LOAD=background does not go with WORKER_PRELOAD=true; unset one of "
                "them."
            )
        application.lifecycle.load_in_background(lambda: _load(settings, admission))
    else:
        application.lifecycle.load(lambda: _load(settings, admission))
    pages = pages_of(
        application.health,
        application.metrics,
        with_dashboard=settings.scoring_dashboard,
        try_it=TryItPage(application.lifecycle) if settings.scoring_docs_page else None,
    )
    process.answer_by(
        ScoringEndpoint(
            application.service,
            application.reader,
            pages,
            ahead_of_flask=mount(
                application.http, pages, application.protocol, application.swagger
            ),
            server_version=os.environ.get("HTTP_X_MS_SERVER_VERSION", ""),  # the server sets it
        )
    )
    process.let_probes_through()
    if not settings.scoring_access_log:
        process.drop_access_log()
    process.drain_on_sigterm(settings.scoring_drain_ms / 1000, application.lifecycle.drain)
    return application


def _load(settings: Settings, admission: Admission) -> Model:
    model = load(settings)
    if model.concurrency and not settings.scoring_slots:
        admission.slots.measured(
            model.concurrency.slots,
            parallelism=model.concurrency.parallelism,
            correct=model.concurrency.kind != "must be alone",
        )
    if model.on_demand:
        model.on_demand.waits = False  # neither the event loop nor a slot
    process.spare_start_up_from_collection()
    return model


def in_flight_limit(settings: Settings, threads: int | None) -> int:
    """Return how many requests a worker with so many threads admits at once."""
    if threads is None or threads == 1:  # a sync worker holds one request anyway
        return settings.scoring_max_in_flight
    return max(1, min(settings.scoring_max_in_flight, threads - RESERVED_THREADS))
