"""Simulates how often InferenceErrorRate and GatewayFailing fire falsely, and how soon they fire
rightly.

    PYTHONPATH=tests python -m deploy.alert_rates

prints the tables of docs/observability.md. Requests come at random (Poisson), and each fails by
chance of its own; a month has 30 days. Where failures come in bursts there are more false pages
than these.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

TRAFFIC = {"1/min": 1.0, "10/min": 10.0, "1/s": 60.0, "10/s": 600.0}
"""Requests a minute."""

STEADY = (0.001, 0.005, 0.008)
FAULTS = (1.0, 0.1, 0.02)
"""Shares of the requests that fail: below the objective of one per cent, and above it."""

WINDOW, SHORT, EVERY = 30, 5, 5
"""Minutes: the windows of the rule, and how often Azure looks."""

MONTHS, FAULTS_TRIED, LONGEST = 200, 400, 120
"""``LONGEST``: minutes for which a fault is followed."""


def rings(
    requests: np.ndarray, failures: np.ndarray, recent: np.ndarray, recent_failures: np.ndarray
) -> np.ndarray:
    """Return whether the alert fires, as InferenceErrorRate30m.kql and rules.yml define it: by the
    counts of half an hour and of its last five minutes."""
    share = failures / np.maximum(requests, 1)
    surely = share - 3 * np.sqrt(share * (1 - share) / np.maximum(requests, 1))
    return (failures >= 5) & (recent_failures > 0.01 * recent) & (surely > 0.01)


def _over(counts: np.ndarray, spans: int) -> np.ndarray:
    """Return sums over the last ``spans`` along the last axis, at the end of each; fewer at its
    start."""
    total = np.cumsum(counts, axis=-1)
    total[..., spans:] -= total[..., :-spans].copy()
    return total


def _rung(requests: np.ndarray, failures: np.ndarray, minutes: int) -> np.ndarray:
    """Return whether the alert fires at the end of each span of so many ``minutes``."""
    return rings(
        *(
            _over(counts, window // minutes)
            for window in (WINDOW, SHORT)
            for counts in (requests, failures)
        )
    )


def false_pages(rate: float, share: float) -> float:
    """Return the false pages of a month."""
    random = np.random.default_rng(27)
    requests = random.poisson(rate * EVERY, MONTHS * 30 * 24 * 60 // EVERY)
    rung = _rung(requests, random.binomial(requests, share), EVERY)
    return float(np.sum(rung[1:] & ~rung[:-1]) / MONTHS)


def minutes_to_ring(rate: float, share: float) -> float:
    """Return the median minutes from the fault's first minute to the alert, by looks once a minute;
    infinite if most have not fired."""
    random = np.random.default_rng(27)
    requests = random.poisson(rate, (FAULTS_TRIED, WINDOW + LONGEST))
    failures = random.binomial(requests, share)
    failures[:, :WINDOW] = 0
    rung = _rung(requests, failures, 1)[:, WINDOW:]
    first = np.where(rung.any(axis=1), rung.argmax(axis=1) + 1.0, np.inf)
    return float(np.median(first))


def _said(value: float) -> str:
    return (
        "never"
        if value == np.inf
        else "0"
        if value == 0
        else f"{value:.2g}"
        if value < 10
        else f"{value:.0f}"
    )


def tables() -> Iterator[str]:
    """Return the rows of both tables as the page has them."""
    for shares, measured in ((STEADY, false_pages), (FAULTS, minutes_to_ring)):
        for share in shares:
            cells = (_said(measured(rate, share)) for rate in TRAFFIC.values())
            yield f"| {share:.1%} | {' | '.join(cells)} |"


if __name__ == "__main__":
    print(*tables(), sep="\n")
