"""Clients' requests, counted by deployment and by blocks of time, so that a log of any length has a
short answer."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

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
    pairs of a bin and how many successful requests it has; ``latency_ms`` is a bin's middle.
    """

    at: float
    deployment: str
    requests: int
    failed: int
    refused: int
    latencies: tuple[tuple[int, int], ...] = ()

    def latencies_ms(self) -> np.ndarray:
        """Return the latency of each successful request, within 1 %."""
        if not self.latencies:
            return np.array([])
        bins, counts = np.array(self.latencies).T
        middles: np.ndarray = LATENCY_RATIO ** bins.astype(float)
        return np.repeat(middles, counts)


def latency_bin(latency_ms: float) -> int:
    """Return the bin of a latency; 0 is that of 1 ms and less."""
    return round(math.log(max(latency_ms, 1.0)) / math.log(LATENCY_RATIO))


def blocks_of(observations: Iterable[Observation]) -> list[TrafficBlock]:
    """Count requests as the query of azure_traffic_log.py counts them."""
    groups: defaultdict[tuple[float, str], list[Observation]] = defaultdict(list)
    for request in observations:
        groups[request.at // BLOCK_S * BLOCK_S, request.deployment].append(request)
    return [
        TrafficBlock(
            at,
            deployment,
            requests=len(requests),
            failed=sum(failed(request.status) for request in requests),
            refused=sum(request.status >= 400 and not failed(request.status) for request in requests),
            latencies=tuple(
                sorted(
                    Counter(
                        latency_bin(request.latency_ms)
                        for request in requests
                        if 0 < request.status < 400
                    ).items()
                )
            ),
        )
        for (at, deployment), requests in sorted(groups.items())
    ]


def failed(status: int) -> bool:
    return status >= FAILURE_STATUS or status in (0, 429)
