"""Sends the requests of a plan, in a process of its own, whose work delays none of them.

``python -m mlops.load.generator`` reads a plan from the first line of standard input. It writes
when it began, then a line for each answer. Once standard input ends it sends no more requests.

Each request has a moment when it is due, whatever became of those before, and its latency counts
from then: a server that stalls is charged for all the requests of that time (no coordinated
omission).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from typing import Any

import aiohttp
import orjson

from mlops.endpoint import DEPLOYMENT_HEADER
from mlops.load.mix import Mix, RequestKind
from mlops.load.stages import Stage, arrivals
from mlops.model_status import model_status

IDLE_S = 1
"""A connection that is idle for longer is closed, before the server closes it under a request."""


class Sender:
    """Sends the requests of ``plan``, the fields of a ``LoadPlan``, when they are due."""

    def __init__(self, plan: dict[str, Any], session: aiohttp.ClientSession) -> None:
        self._url = plan["url"]
        self._stages = [Stage(**stage) for stage in plan["stages"]]
        self._mix = Mix(
            plan["rows"], {RequestKind(kind): share for kind, share in plan["shares"].items()}
        )
        self._free_connections = asyncio.Semaphore(plan["connections"])
        self._session = session
        self._began = time.perf_counter()

    async def send_all(self, requests: asyncio.TaskGroup) -> None:
        """Begin each request in ``requests``; none waits for another."""
        write(f"{time.time()}")
        for stage, due_s in arrivals(self._stages):
            kind, body = self._mix.next()
            await asyncio.sleep(max(0.0, self._began + due_s - time.perf_counter()))
            requests.create_task(self._send(stage, due_s, kind, body))

    async def _send(self, stage: int, due_s: float, kind: RequestKind, body: bytes) -> None:
        status, deployment = 0, ""
        async with self._free_connections:
            waited_s = self._elapsed() - due_s
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with self._session.post(
                    self._url, data=body, allow_redirects=False
                ) as response:
                    await response.read()
                    status = model_status(response.status, response.headers)
                    deployment = response.headers.get(DEPLOYMENT_HEADER, "")
        took_s = self._elapsed() - due_s
        write(
            f"{stage},{kind},{due_s:.6f},{1000 * waited_s:.3f},{1000 * took_s:.3f},{status},"
            f"{deployment}"
        )

    def _elapsed(self) -> float:
        return time.perf_counter() - self._began


def write(line: str) -> None:
    """Write a line for the process that started us, and end if that is gone."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        os._exit(1)  # nobody reads the answers any more


async def run(plan: dict[str, Any]) -> None:
    """Send all requests, or those until standard input ends, and wait for their answers."""
    began_s, used_s = time.perf_counter(), time.process_time()
    async with (
        aiohttp.ClientSession(
            headers=plan["headers"],
            timeout=aiohttp.ClientTimeout(plan["timeout_s"]),
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_S),
        ) as session,
        asyncio.TaskGroup() as requests,
    ):
        sending = asyncio.create_task(Sender(plan, session).send_all(requests))
        loop = asyncio.get_running_loop()

        def stop() -> None:
            loop.remove_reader(sys.stdin)
            sending.cancel()

        loop.add_reader(sys.stdin, stop)
        with contextlib.suppress(asyncio.CancelledError):
            await sending
    write(f"cpu,{(time.process_time() - used_s) / (time.perf_counter() - began_s):.3f}")


if __name__ == "__main__":
    asyncio.run(run(orjson.loads(sys.stdin.buffer.readline())))
