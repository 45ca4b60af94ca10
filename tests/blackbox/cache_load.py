"""Clients of a server with a cache, and one that probes."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from blackbox.server import Server

CLIENTS = 3
PAUSE_S = 0.03
"""Between two requests of a client. Without it, clients and server take all processors from the
tests beside them."""

FRESH = itertools.count(1_000_000)


@dataclass
class Seen:
    """One answer."""

    ms: float
    right: bool
    cache: str = ""


@dataclass
class Load:
    """Clients that send requests, half of them for cached rows, and one that probes."""

    server: Server
    seen: list[Seen] = field(default_factory=list)
    probes: set[int] = field(default_factory=set)

    @contextmanager
    def running(self) -> Iterator[None]:
        stop = threading.Event()
        jobs: list[Callable[[threading.Event], None]] = [self._ask] * CLIENTS + [self._probe]
        threads = [threading.Thread(target=job, args=(stop,)) for job in jobs]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def _ask(self, stop: threading.Event) -> None:
        with self.server.new_client() as client:
            while not stop.wait(PAUSE_S):
                value = float(random.choice([random.randrange(20), next(FRESH)]))
                self.seen.append(score(client, value))

    def _probe(self, stop: threading.Event) -> None:
        with self.server.new_client() as client:
            while not stop.wait(0.05):
                self.probes |= {
                    client.get(path).status_code for path in ("/readiness", "/liveness")
                }


def score(client: Any, value: float) -> Seen:
    answer = client.post("/score", json={"data": [[value]]})
    body = answer.json()
    if answer.status_code != 200:
        return Seen(0.0, right=False)
    metadata = body["metadata"]
    return Seen(
        metadata["inference_time_ms"], body["predictions"] == [2 * value], metadata["cache"]
    )
