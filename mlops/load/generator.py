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
import random
import resource
import sys
import time
from typing import Any

import orjson
import uvloop

from azureml_scoring.client.headers import DEPLOYMENT_HEADER
from azureml_scoring.client.model_status import model_status
from mlops.load.http_client import HttpClient
from mlops.load.mix import Bodies, Mix, RequestKind
from mlops.load.stages import Stage, arrivals

HALF_TICK_S = 0.0005
"""Added to each wait, since uvloop rounds it to milliseconds: the latency of a request that was
early would look shorter."""

OTHER_FILES = 50
"""Files of this process that are no connections."""

REFUSALS = frozenset({429, 503})
MAX_RETRY_PAUSE_S = 0.05
"""Longest pause before a refused request is sent again, and that of a client of a closed loop: so
refusals do not keep the machine busy with themselves."""


class Sender:
    """Sends the requests of ``plan``, the fields of a ``LoadPlan``."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._stages = [Stage(**stage) for stage in plan["stages"]]
        shares = {RequestKind(kind): share for kind, share in plan["shares"].items()}
        self._mix = Bodies(plan["bodies"]) if plan["bodies"] else Mix(plan["rows"], shares)
        self._connections: int = plan["connections"]
        self._free_connections = asyncio.Semaphore(self._connections)
        self._closed_loop_s: float = plan["closed_loop_s"]
        self._timeout_s: float = plan["timeout_s"]
        self._retries: int = plan["retries"]
        self._client = HttpClient(plan["url"], plan["headers"])
        self._began = time.perf_counter()

    async def send_all(self, requests: asyncio.TaskGroup) -> None:
        """Begin each request in ``requests``; none waits for another, but in a closed loop."""
        write(f"{time.time()}")
        if self._closed_loop_s:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._closed_loop_s), asyncio.TaskGroup() as clients:
                    for _ in range(self._connections):
                        clients.create_task(self._send_in_turn())
        for stage, due_s in arrivals(self._stages):
            kind, body = self._mix.next()
            left_s = due_s - self._elapsed()
            await asyncio.sleep(left_s + HALF_TICK_S if left_s > 0 else 0)
            requests.create_task(self._send(stage, due_s, kind, body))

    async def _send_in_turn(self) -> None:
        while True:
            kind, body = self._mix.next()
            if await self._send(0, self._elapsed(), kind, body) != 200:
                await _retry_pause()

    async def _send(self, stage: int, due_s: float, kind: RequestKind, body: bytes) -> int:
        """Send a request and return its status, 0 for no answer."""
        status, deployment = 0, ""
        waited_s = 0.0
        try:
            async with self._free_connections:
                waited_s = max(0.0, self._elapsed() - due_s)
                for attempt in range(1 + self._retries):
                    if attempt:
                        await _retry_pause()
                    status, deployment = 0, ""
                    with contextlib.suppress(OSError):  # TimeoutError is one
                        answer = await self._client.post(body, self._timeout_s)
                        status = model_status(answer.status, answer.headers)
                        deployment = answer.headers.get(DEPLOYMENT_HEADER, "")
                    if status not in REFUSALS:
                        break
        finally:
            took_s = self._elapsed() - due_s
            write(
                f"{stage},{kind},{due_s:.6f},{1000 * waited_s:.3f},{1000 * took_s:.3f},{status},"
                f"{deployment}"
            )
        return status

    def _elapsed(self) -> float:
        return time.perf_counter() - self._began


async def _retry_pause() -> None:
    await asyncio.sleep(random.uniform(0, MAX_RETRY_PAUSE_S))  # noqa: S311


def write(line: str) -> None:
    """Write a line for the process that started us, and end if that is gone."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        os._exit(1)  # nobody reads the answers any more


async def run(plan: dict[str, Any]) -> None:
    """Send all requests, or those until standard input ends, and wait for their answers."""
    began_s, used_s = time.perf_counter(), time.process_time()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(None) as patience, asyncio.TaskGroup() as requests:
            sending = asyncio.create_task(Sender(plan).send_all(requests))
            loop = asyncio.get_running_loop()

            def stop() -> None:
                loop.remove_reader(sys.stdin)
                sending.cancel()

            loop.add_reader(sys.stdin, stop)
            with contextlib.suppress(asyncio.CancelledError):
                await sending
            if plan["patience_s"] is not None:
                patience.reschedule(loop.time() + plan["patience_s"])
    write(f"cpu,{(time.process_time() - used_s) / (time.perf_counter() - began_s):.3f}")


def allow_connections(count: int) -> None:
    """Let this process open ``count`` connections, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main() -> None:
    plan = orjson.loads(sys.stdin.buffer.readline())
    allow_connections(plan["connections"])
    uvloop.run(run(plan))


if __name__ == "__main__":
    main()
