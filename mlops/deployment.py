"""Numbers of a deployment that must agree; tests compare ``endpoints/`` and ``kubernetes/`` with
them.

API Management's timeout >= the request's > our deadline > the objective for latency. An instance is
sent as many requests as it admits, and liveness starts to count once a model has had time to load.
"""

from __future__ import annotations

from azureml_scoring.application import in_flight_limit
from azureml_scoring.settings import Settings
from mlops.serve import GUNICORN, LOAD_LIMIT_S

GATEWAY_TIMEOUT_MS = 30_000
"""API Management's timeout, as the guide sets it (docs/infrastructure.md)."""

REQUEST_TIMEOUT_MS = 30_000
"""The request's timeout; Azure's default is 5,000. Past it a client gets 408, whatever we say."""

MANAGED_WORKERS = 4
"""One for each processor of the instance type."""

CONTAINER_WORKERS = 1
"""On Kubernetes there are more pods instead."""

LIVENESS = {"initial_delay": LOAD_LIMIT_S, "period": 10, "timeout": 5, "failure_threshold": 3}
"""Liveness probe, in seconds. Azure ML has no startup probe, and a model that loads is not dead."""

READINESS = {"initial_delay": 10, "period": 5, "timeout": 3, "failure_threshold": 2}

STARTUP = {"period": 2, "timeout": 2, "failure_threshold": LOAD_LIMIT_S // 2}
"""Startup probe of ``kubernetes/``, in place of both initial delays."""

PRE_STOP_S = 10
"""Wait before SIGTERM: as long as Kubernetes may take to stop sending a pod requests."""


def concurrency(configured: Settings, threads: int) -> int:
    """Return how many requests an instance admits at once. ``threads`` are a worker's."""
    return configured.worker_count * (1 if threads == 1 else in_flight_limit(configured, threads))


def environment_variables(deployment: str, *, managed: bool) -> dict[str, str]:
    """Return the environment variables of ``endpoints/*-deployment.yml``."""
    default = Settings()
    return {
        "DEPLOYMENT_NAME": deployment,
        "WORKER_COUNT": str(MANAGED_WORKERS if managed else CONTAINER_WORKERS),
        "SCORING_MAX_IN_FLIGHT": str(default.scoring_max_in_flight),
        "SCORING_LATENCY_OBJECTIVE_MS": str(default.scoring_latency_objective_ms),
        "SCORING_DEADLINE_MS": str(default.scoring_deadline_ms),
        "SCORING_REQUIRE_MANIFEST": "true",
    } | ({"GUNICORN_CMD_ARGS": GUNICORN} if managed else {})
