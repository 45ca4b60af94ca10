"""Watches a server while it is under load: its liveness probe, as a kubelet asks it, and its
memory."""

from __future__ import annotations

import http.client
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, Self

import psutil
from servers import Running

PROBES_PER_SECOND = 5
PROBE_TIMEOUT_S = 2.0


class Probe(NamedTuple):
    """A probe, and whether its answer was 200 in time."""

    is_fine: bool
    took_ms: float


class Watch:
    """Probes ``target`` on a new connection five times a second within the block. ``probes``: what
    became of them. ``growth_mb``: by how much the resident memory of its processes grew at most."""

    def __init__(self, target: Running) -> None:
        self._target = target
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.probes: list[Probe] = []
        self.growth_mb = 0.0

    def __enter__(self) -> Self:
        self._memory_before_mb = self._memory_mb()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        pending = list[Future[Probe]]()
        due = time.monotonic()
        with ThreadPoolExecutor(int(PROBES_PER_SECOND * PROBE_TIMEOUT_S) + 2) as threads:
            while not self._over.wait(max(0.0, due - time.monotonic())):
                pending.append(threads.submit(self._probe))
                self.growth_mb = max(self.growth_mb, self._memory_mb() - self._memory_before_mb)
                due += 1 / PROBES_PER_SECOND
        self.probes = [probe.result() for probe in pending]

    def _probe(self) -> Probe:
        begun = time.monotonic()
        connection = http.client.HTTPConnection(
            "127.0.0.1", self._target.port, timeout=PROBE_TIMEOUT_S
        )
        try:
            connection.request("GET", self._target.server.liveness, headers={"Connection": "close"})
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            status = 0
        finally:
            connection.close()
        took_s = time.monotonic() - begun
        return Probe(status == 200 and took_s <= PROBE_TIMEOUT_S, 1000 * took_s)

    def _memory_mb(self) -> float:
        total = 0
        for process in self._target.family():
            try:
                total += process.memory_info().rss
            except psutil.Error:
                continue
        return total / 1e6
