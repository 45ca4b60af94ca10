"""Rules for a deployment's probes."""

from __future__ import annotations

from collections.abc import Iterator

from mlops.check.document import Document, Problem
from mlops.serve import LOAD_LIMIT_S

PROBES = ("liveness_probe", "readiness_probe")
DEFAULTS = {
    "initial_delay": 10,
    "period": 10,
    "timeout": 2,
    "success_threshold": 1,
    "failure_threshold": 30,
}
"""Azure's, in seconds where they are times."""

LONGEST_TIMEOUT = 299
"""Seconds. Azure refuses a deployment with "The value should be less than 300"."""


def positive(document: Document) -> Iterator[Problem]:
    for probe in PROBES:
        for key in DEFAULTS:
            given = document.typed(int, probe, key)
            if given is not None and given < 1:
                yield document.problem((probe, key), f"is {given}", "write 1 or more")


def timeout_has_limits(document: Document) -> Iterator[Problem]:
    """Azure's, and the period."""
    for probe in PROBES:
        timeout, period = _seconds(document, probe, "timeout"), _seconds(document, probe, "period")
        why = "more than Azure takes" if timeout > LONGEST_TIMEOUT else "longer than the period"
        if timeout > (most := min(period, LONGEST_TIMEOUT)):
            yield document.problem(
                (probe, "timeout"), f"is {timeout} s, {why}", f"write {most} at most"
            )


def one_success_is_life(document: Document) -> Iterator[Problem]:
    key = ("liveness_probe", "success_threshold")
    if _seconds(document, *key) != 1:
        yield document.problem(key, "is not 1, which Kubernetes demands", "write 1 or remove it")


def time_to_load(document: Document) -> Iterator[Problem]:
    """Until ``init()`` has loaded the model there is nobody to answer."""
    delay, period, failures = (
        _seconds(document, "liveness_probe", key)
        for key in ("initial_delay", "period", "failure_threshold")
    )
    given = delay + period * failures
    if given < LOAD_LIMIT_S:
        yield document.problem(
            ("liveness_probe", "initial_delay"),
            f"gives a model {given} s to load before it is killed",
            f"write {LOAD_LIMIT_S}",
        )


def _seconds(document: Document, probe: str, key: str) -> int:
    given = document.typed(int, probe, key)
    return DEFAULTS[key] if given is None else given


RULES = (positive, timeout_has_limits, one_success_is_life, time_to_load)
