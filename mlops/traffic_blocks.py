"""Clients' requests, counted by deployment and by blocks of time, so that a log of any length has a
short answer."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

BLOCK_S = 10
LATENCY_RATIO = 1.02
"""Width of a latency bin: two latencies that are further apart than this are told apart."""

FAILURE_STATUS = 500
"""From this status on, without an answer (0) and where it has no room (429), the deployment itself
failed. Other refusals are errors of the client."""


@dataclass(frozen=True)
class Observation:
    """One request of a client, or its mirrored copy, as the endpoint logged it. ``at``: seconds
    since 1970.

    ``status`` is the model's own; 0 if the deployment gave no answer at all.
    """

    at: float
    deployment: str
    status: int
    latency_ms: float


@dataclass(frozen=True)
class TrafficBlock:
    """The requests of clients to one deployment within ``BLOCK_S``.

    ``at``: the block's start, in seconds since 1970, a multiple of ``BLOCK_S``. ``latencies``:
    pairs of a bin and how many successful requests it has.
    """

    at: float
    deployment: str
    requests: int
    failed: int
    refused: int
    latencies: tuple[tuple[int, int], ...] = ()


def latency_bins(latencies_ms: ArrayLike) -> np.ndarray:
    """Return the bin of each latency; 0 is that of 1 ms and less."""
    bins: np.ndarray = np.rint(np.log(np.maximum(latencies_ms, 1.0)) / np.log(LATENCY_RATIO))
    return bins.astype(int)


def blocks_of(observations: Iterable[Observation], block_s: float = BLOCK_S) -> list[TrafficBlock]:
    """Count requests as the query of azure_traffic_log.py counts them."""
    requests = list(observations)
    bins = latency_bins([request.latency_ms for request in requests]).tolist()
    groups = defaultdict[tuple[float, str], Counter[int | str]](Counter)
    for request, place in zip(requests, bins, strict=True):
        outcome = (
            "failed" if failed(request.status) else "refused" if request.status >= 400 else place
        )
        groups[request.at // block_s * block_s, request.deployment][outcome] += 1
    return [
        TrafficBlock(
            at,
            deployment,
            requests=counts.total(),
            failed=counts.pop("failed", 0),
            refused=counts.pop("refused", 0),
            latencies=tuple(sorted((int(place), number) for place, number in counts.items())),
        )
        for (at, deployment), counts in sorted(groups.items())
    ]


def failed(status: int) -> bool:
    return status >= FAILURE_STATUS or status in (0, 429)
