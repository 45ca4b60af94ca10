"""Rules for numbers of a deployment that must agree; ``mlops.deployment`` says how."""

from __future__ import annotations

import re
from collections.abc import Iterator

from azureml_scoring.http.asgi import THREADS
from mlops.check.document import Document, Key, Problem
from mlops.check.kind import on_kubernetes
from mlops.check.references import serves_itself
from mlops.check.variables import KEY, configured
from mlops.deployment import REQUEST_TIMEOUT_MS, concurrency

TIMEOUT: Key = ("request_settings", "request_timeout_ms")
CONCURRENT: Key = ("request_settings", "max_concurrent_requests_per_instance")
GUNICORN: Key = (KEY, "GUNICORN_CMD_ARGS")

AZURE_TIMEOUT_MS = 5_000
GUNICORN_GRACE_S = 30


def deadlines(document: Document) -> Iterator[Problem]:
    """Require each deadline to end before whatever waits for it."""
    if not (ours := configured(document)):
        return
    timeout = document.typed(int, *TIMEOUT)
    if ours.scoring_deadline_ms >= (AZURE_TIMEOUT_MS if timeout is None else timeout):
        yield document.problem(
            TIMEOUT,
            f"is {timeout or f'{AZURE_TIMEOUT_MS}, as it is missing'}, not over our deadline",
            f"write {max(REQUEST_TIMEOUT_MS, ours.scoring_deadline_ms + 5_000)} or lower "
            f"SCORING_DEADLINE_MS ({ours.scoring_deadline_ms})",
        )
    if ours.scoring_latency_objective_ms >= ours.scoring_deadline_ms:
        yield document.problem(
            (KEY, "SCORING_LATENCY_OBJECTIVE_MS"),
            "is not under SCORING_DEADLINE_MS, when requests end with 504",
            f"write less than {ours.scoring_deadline_ms}",
        )
    if ours.scoring_stuck_after_ms <= ours.scoring_deadline_ms:
        yield document.problem(
            (KEY, "SCORING_STUCK_AFTER_MS"),
            "calls a score stuck before its SCORING_DEADLINE_MS",
            f"write more than {ours.scoring_deadline_ms}",
        )


def concurrent_requests(document: Document) -> Iterator[Problem]:
    """Require as many concurrent requests as an instance admits; on Kubernetes, no more than that.

    On Kubernetes Microsoft recommends keeping the default.
    """
    if not (ours := configured(document)):
        return
    declared = document.typed(int, *CONCURRENT)
    admitted = concurrency(ours, _threads(document))
    too_few = not on_kubernetes(document) and (declared or 1) < admitted
    if too_few or (declared or 1) > admitted:
        yield document.problem(
            CONCURRENT,
            f"is {declared or '1, as it is missing'}, but an instance admits {admitted}",
            f"write {admitted}, which is WORKER_COUNT ({ours.worker_count}) "
            "times what a worker admits",
        )


def threads(document: Document) -> Iterator[Problem]:
    """Require threads for gunicorn's own worker, which may have to serve in place of ours.

    Without threads it answers one request at a time, probes included.
    """
    if not serves_itself(document) and _threads(document) == 1:
        yield document.problem(
            GUNICORN,
            "has no --threads, so probes wait behind scores if gunicorn's own worker serves",
            "write --threads 64",
        )


def grace(document: Document) -> Iterator[Problem]:
    """Require enough time after SIGTERM to answer the requests that were admitted before it."""
    if serves_itself(document) or not (ours := configured(document)):
        return
    grace_s = _option(document, "graceful-timeout") or GUNICORN_GRACE_S
    needed_s = -(-(ours.scoring_drain_ms + ours.scoring_deadline_ms) // 1000)
    if grace_s < needed_s:
        yield document.problem(
            GUNICORN,
            f"allows {grace_s} s, but draining and answering may take {needed_s} s",
            f"write --graceful-timeout {max(60, needed_s)}",
        )


def _threads(document: Document) -> int:
    return THREADS if serves_itself(document) else _option(document, "threads") or 1


def _option(document: Document, name: str) -> int | None:
    match = re.search(rf"--{name}[ =](\d+)", document.typed(str, *GUNICORN) or "")
    return int(match[1]) if match else None


RULES = (deadlines, concurrent_requests, threads, grace)
