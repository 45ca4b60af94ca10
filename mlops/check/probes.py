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
"""Azure's defaults; times are in seconds."""

MAX_TIMEOUT_S = 299
"""Azure refuses a longer one with "The value should be less than 300"."""


def positive(document: Document) -> Iterator[Problem]:
    for probe in PROBES:
        for key in DEFAULTS:
            value = document.typed(int, probe, key)
            if value is not None and value < 1:
                yield document.problem((probe, key), f"is {value}", "write 1 or more")


def timeout_has_limits(document: Document) -> Iterator[Problem]:
    """Require a timeout within Azure's limit and the period."""
    for probe in PROBES:
        timeout, period = _value(document, probe, "timeout"), _value(document, probe, "period")
        why = "more than Azure accepts" if timeout > MAX_TIMEOUT_S else "longer than the period"
        if timeout > (most := min(period, MAX_TIMEOUT_S)):
            yield document.problem(
                (probe, "timeout"), f"is {timeout} s, {why}", f"write {most} at most"
            )


def one_success_is_life(document: Document) -> Iterator[Problem]:
    key = ("liveness_probe", "success_threshold")
    if _value(document, *key) != 1:
        yield document.problem(key, "is not 1, which Kubernetes demands", "write 1 or remove it")


def time_to_load(document: Document) -> Iterator[Problem]:
    """Require time for ``init()`` to load the model, since no probe is answered before."""
    delay, period, failures = (
        _value(document, "liveness_probe", key)
        for key in ("initial_delay", "period", "failure_threshold")
    )
    allowed_s = delay + period * failures
    if allowed_s < LOAD_LIMIT_S:
        yield document.problem(
            ("liveness_probe", "initial_delay"),
            f"gives a model {allowed_s} s to load before it is killed",
            f"write {LOAD_LIMIT_S}",
        )


def _value(document: Document, probe: str, key: str) -> int:
    value = document.typed(int, probe, key)
    return DEFAULTS[key] if value is None else value


RULES = (positive, timeout_has_limits, one_success_is_life, time_to_load)
