"""Makes a request, ready to paste, that a model has answered."""

from __future__ import annotations

import functools
import shlex
from typing import Any

import orjson

from azureml_scoring.admission.admission import Admission
from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.models.files import artifact
from azureml_scoring.models.lifecycle import Lifecycle
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.request import Request
from azureml_scoring.service import Service
from azureml_scoring.settings import Settings
from azureml_scoring.shared.cache_counts import CacheCounts
from azureml_scoring.shared.scoreboard import WorkerRow
from cache import ResponseCache
from mlops.plain_text import one_line


def example(settings: Settings) -> dict[str, Any]:
    """Return the body of a request for one row or two.

    Raises StartupError if the model answers none that is known.
    """
    packaged = artifact.find(settings).manifest
    # Packaging has tried golden rows that have answers.
    if packaged and packaged.contract.methods[0] in packaged.golden_answers:
        return {"data": packaged.golden_rows[:2]}
    model = load(settings)
    service, refused = _service(model, settings), ""
    for row in model.example:
        body = {"data": [row]}
        answer = service.score(Request("example", "", functools.partial(orjson.dumps, body)))
        if answer.status == 200:
            return body
        refused = refused or f"{answer.status}: {one_line(orjson.loads(answer.body)['error'])}"
    raise StartupError(
        f"No request is known that this model answers ({refused}); package it with `mlops package "
        f"MODEL --sample DATA --out DIR`, with rows in DATA that it answers."
    )


def rows(settings: Settings) -> list[list[Any]]:
    """Return a packaged model's golden rows, else one that it has answered. Raises StartupError."""
    packaged = artifact.find(settings).manifest
    return packaged.golden_rows if packaged else list(load(settings).example)


def curl(body: dict[str, Any], url: str) -> str:
    """Return a curl command. ``url``: the server's, or that of its /score."""
    score = url.rstrip("/").removesuffix("/score") + "/score"
    data = shlex.quote(orjson.dumps(body).decode())
    return f"curl {shlex.quote(score)} -H 'Content-Type: application/json' -d {data}"


def _service(model: Model, settings: Settings) -> Service:
    """Build the service as a server has it, without cache and log."""
    row = WorkerRow()
    lifecycle = Lifecycle(lambda: row)
    lifecycle.load(lambda: model)
    return Service(
        lifecycle,
        Admission(
            lambda: row,
            slots=1,
            max_in_flight=1,
            objective=settings.scoring_latency_objective_ms / 1000,
            deadline=settings.scoring_deadline_ms / 1000,
        ),
        ResponseCache([], CacheCounts(lambda: row)),
        Limits.of(settings),
        deployment=settings.deployment_name,
        null_for_non_finite=settings.scoring_non_finite_output == "null",
    )
