"""The pages beside ``/score``: the probes, the metrics, the dashboard, the try-it page."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from http import HTTPStatus

import orjson

from azureml_scoring.request import Answer
from azureml_scoring.signals import dashboard
from azureml_scoring.signals.health import Health, Probe
from azureml_scoring.signals.metrics import Metrics

Pages = Mapping[str, Callable[[], Answer]]
"""Path -> the function that answers it."""

PROBE_RETRY_AFTER_S = 5


def pages_of(
    health: Health,
    metrics: Metrics,
    *,
    with_dashboard: bool = False,
    try_it: Callable[[], Answer] | None = None,
) -> Pages:
    """Return the pages. ``try_it`` answers ``/docs``; without it there is none."""
    probes = (health.health, health.readiness, health.liveness)
    pages: dict[str, Callable[[], Answer]] = {
        f"/{probe.__name__}": functools.partial(_probe_answer, probe) for probe in probes
    }
    pages["/metrics"] = metrics.answer
    if with_dashboard:
        page = dashboard.page()
        pages["/dashboard"] = lambda: page
    if try_it:
        pages["/docs"] = try_it
    return pages


def _probe_answer(probe: Callable[[], Probe]) -> Answer:
    body, status = probe()
    headers = {} if status == HTTPStatus.OK else {"Retry-After": str(PROBE_RETRY_AFTER_S)}
    return Answer(status, orjson.dumps(body), headers)
