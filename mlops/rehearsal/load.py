"""Clients of a rehearsal: requests at a constant rate, whatever becomes of those before."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from mlops.rehearsal.splitter import NAMED

TIMEOUT_S = 30


@dataclass(frozen=True)
class Asked:
    """``status``: what the client got, 0 for nothing; ``deployment``: who answered, as far as the
    answer tells."""

    at: float
    status: int
    latency_ms: float
    deployment: str


class Load:
    """Asks on a thread of its own, from entering to leaving; then all answers are there."""

    def __init__(self, url: str, rows: Sequence[list[Any]], rate: float) -> None:
        self.asked: list[Asked] = []
        self._url = url
        self._bodies = [orjson.dumps({"data": [row]}) for row in rows]
        self._rate = rate
        self._ends = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ends.set()
        self._thread.join()

    async def _run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        connector = aiohttp.TCPConnector(limit=0)
        started, count = time.monotonic(), 0
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=connector) as session,
            asyncio.TaskGroup() as requests,
        ):
            while not self._ends.is_set():
                requests.create_task(self._ask(session, self._bodies[count % len(self._bodies)]))
                count += 1
                await asyncio.sleep(max(0.0, started + count / self._rate - time.monotonic()))

    async def _ask(self, session: aiohttp.ClientSession, body: bytes) -> None:
        at, began = time.time(), time.perf_counter()
        status, deployment = 0, ""
        try:
            async with session.post(
                f"{self._url}/score", data=body, headers={"Content-Type": "application/json"}
            ) as response:
                await response.read()
                status, deployment = response.status, response.headers.get(NAMED, "")
        except (aiohttp.ClientError, TimeoutError):
            pass  # the status says it
        self.asked.append(Asked(at, status, (time.perf_counter() - began) * 1000, deployment))
