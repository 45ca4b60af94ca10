"""The numbers of a deployment that must agree, in one place; tests hold ``endpoints/`` and
``kubernetes/`` to them.

API Management's timeout >= the request's > our deadline > the wait for a slot. What is left between
the last two is the model's budget. An instance is sent as many requests as it takes in, and
liveness starts to count once a model had time to load.
"""

from __future__ import annotations

from azureml_scoring.application import in_flight_limit
from azureml_scoring.settings import Settings
from mlops.serve import GUNICORN, LOAD_LIMIT_S

GATEWAY_TIMEOUT_MS = 30_000
"""API Management's, which the guide sets."""

REQUEST_TIMEOUT_MS = 30_000
"""Azure's own default is 5,000; past it a client gets 408, whatever we answer."""

MANAGED_WORKERS = 4
"""One for each processor of the instance type."""

CONTAINER_WORKERS = 1
"""On Kubernetes there are more pods instead."""

LIVENESS = {"initial_delay": LOAD_LIMIT_S, "period": 10, "timeout": 5, "failure_threshold": 3}
"""Seconds. Azure ML has no startup probe: a model that loads must not be taken for a dead one."""

READINESS = {"initial_delay": 10, "period": 5, "timeout": 3, "failure_threshold": 2}

STARTUP = {"period": 2, "timeout": 2, "failure_threshold": LOAD_LIMIT_S // 2}
"""For ``kubernetes/``: it asks until there is an answer, in place of both initial delays."""

PRE_STOP = 10
"""Seconds that Kubernetes may take to tell everyone that a pod takes no more requests; only then
comes SIGTERM."""


def concurrency(configured: Settings, threads: int) -> int:
    """Requests that an instance takes in at once; more are turned down. ``threads``: of a
    worker."""
    return configured.worker_count * (1 if threads == 1 else in_flight_limit(configured, threads))


def environment_variables(deployment: str, *, managed: bool) -> dict[str, str]:
    """Of ``endpoints/*-deployment.yml``."""
    default = Settings()
    return {
        "DEPLOYMENT_NAME": deployment,
        "WORKER_COUNT": str(MANAGED_WORKERS if managed else CONTAINER_WORKERS),
        "SCORING_MAX_IN_FLIGHT": str(default.scoring_max_in_flight),
        "SCORING_QUEUE_TIMEOUT_MS": str(default.scoring_queue_timeout_ms),
        "SCORING_DEADLINE_MS": str(default.scoring_deadline_ms),
        "SCORING_REQUIRE_MANIFEST": "true",
    } | ({"GUNICORN_CMD_ARGS": GUNICORN} if managed else {})
