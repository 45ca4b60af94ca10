"""Rules for numbers of a deployment that must agree with each other; ``mlops.deployment`` says
how."""

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

AZURES_TIMEOUT_MS = 5_000
GUNICORNS_GRACE_S = 30


def deadlines(document: Document) -> Iterator[Problem]:
    """Each must end before what waits for it."""
    if not (ours := configured(document)):
        return
    timeout = document.typed(int, *TIMEOUT)
    if ours.scoring_deadline_ms >= (AZURES_TIMEOUT_MS if timeout is None else timeout):
        yield document.problem(
            TIMEOUT,
            f"is {timeout or f'{AZURES_TIMEOUT_MS}, as it is missing'}, not over our deadline",
            f"write {max(REQUEST_TIMEOUT_MS, ours.scoring_deadline_ms + 5_000)} or lower "
            f"SCORING_DEADLINE_MS ({ours.scoring_deadline_ms})",
        )
    if ours.scoring_queue_timeout_ms >= ours.scoring_deadline_ms:
        yield document.problem(
            (KEY, "SCORING_QUEUE_TIMEOUT_MS"),
            "leaves the model no time before SCORING_DEADLINE_MS",
            f"write less than {ours.scoring_deadline_ms}",
        )
    if ours.scoring_stuck_after_ms <= ours.scoring_deadline_ms:
        yield document.problem(
            (KEY, "SCORING_STUCK_AFTER_MS"),
            "calls a score stuck before its SCORING_DEADLINE_MS",
            f"write more than {ours.scoring_deadline_ms}",
        )


def concurrent_requests(document: Document) -> Iterator[Problem]:
    """Managed: as many as an instance takes in. Kubernetes: at most, for there Microsoft wants its
    default kept."""
    if not (ours := configured(document)):
        return
    given = document.typed(int, *CONCURRENT)
    taken = concurrency(ours, _threads(document))
    too_few = not on_kubernetes(document) and (given or 1) < taken
    if too_few or (given or 1) > taken:
        yield document.problem(
            CONCURRENT,
            f"is {given or '1, as it is missing'}, but an instance takes in {taken}",
            f"write {taken}, which is WORKER_COUNT ({ours.worker_count}) "
            "times what a worker admits",
        )


def threads(document: Document) -> Iterator[Problem]:
    """Where ours can not take its place, gunicorn's own worker answers one request at a time,
    probes included."""
    if not serves_itself(document) and _threads(document) == 1:
        what = (
            "has no --threads, so that probes wait behind scores should gunicorn's own worker serve"
        )
        yield document.problem(GUNICORN, what, "write --threads 64")


def grace(document: Document) -> Iterator[Problem]:
    """What was taken in before SIGTERM is still answered."""
    if serves_itself(document) or not (ours := configured(document)):
        return
    given = _option(document, "graceful-timeout") or GUNICORNS_GRACE_S
    needed = -(-(ours.scoring_drain_ms + ours.scoring_deadline_ms) // 1000)
    if given < needed:
        yield document.problem(
            GUNICORN,
            f"gives {given} s for what may take {needed} s to drain and to answer",
            f"write --graceful-timeout {max(60, needed)}",
        )


def _threads(document: Document) -> int:
    return THREADS if serves_itself(document) else _option(document, "threads") or 1


def _option(document: Document, name: str) -> int | None:
    found = re.search(rf"--{name}[ =](\d+)", document.typed(str, *GUNICORN) or "")
    return int(found[1]) if found else None


RULES = (deadlines, concurrent_requests, threads, grace)
