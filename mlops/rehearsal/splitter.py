"""Treats requests as a managed online endpoint does: weights, a mirror, a deployment by name, 424
for the model's errors."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Mapping

import aiohttp
from aiohttp import web

from azureml_scoring.client.headers import DEPLOYMENT_HEADER
from azureml_scoring.client.model_status import REASON_HEADER, STATUS_HEADER
from mlops.endpoint import Traffic
from mlops.rehearsal.shares import Shares
from mlops.rollout.own_requests import is_own
from mlops.traffic_blocks import Observation, TrafficBlock, blocks_of

REQUEST_TIMEOUT_S = 5
"""Azure's default."""

BLOCK_S = 0.25
"""A rehearsal is short."""

MAX_OBSERVATIONS = 200_000


class Splitter:
    """Splits requests. ``backends``: name -> URL of a deployment's server; whoever starts them
    keeps it current."""

    def __init__(self, backends: Mapping[str, str], timeout_s: float = REQUEST_TIMEOUT_S) -> None:
        self.backends = backends
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._observations: deque[Observation] = deque(maxlen=MAX_OBSERVATIONS)
        self._copies: set[asyncio.Task[web.Response]] = set()
        self._session: aiohttp.ClientSession | None = None
        self.direct(Traffic({}))

    def direct(self, traffic: Traffic) -> None:
        self.traffic = traffic
        self._live = Shares(traffic.live)
        self._mirror = Shares(traffic.mirror)

    def blocks(self, since: float) -> list[TrafficBlock]:
        requests = [request for request in self._observations if request.at >= since]
        return blocks_of(requests, BLOCK_S)

    async def score(self, request: web.Request) -> web.Response:
        body = await request.read()
        named = request.headers.get(DEPLOYMENT_HEADER)
        if named is not None and named not in self.backends:
            return web.json_response({"error": f"There is no deployment {named}."}, status=404)
        name = named or self._live.pick()
        if name is None:
            return web.json_response({"error": "No deployment has traffic."}, status=404)
        of_client = not is_own(request.headers)
        if not named and (mirrored := self._mirror.pick()):
            copy = asyncio.create_task(self._ask(mirrored, body, of_client))
            self._copies.add(copy)
            copy.add_done_callback(self._copies.discard)
        return await self._ask(name, body, of_client)

    async def _ask(self, name: str, body: bytes, of_client: bool) -> web.Response:
        """Return the answer as a client of Azure gets it; keep how long a client's took."""
        started, began = time.time(), time.perf_counter()
        headers = {"Content-Type": "application/json", "x-request-id": str(uuid.uuid4())}
        status, reason, answer, shown = 0, "", b"", 502
        try:
            async with self.session.post(
                f"{self.backends[name]}/score", data=body, headers=headers
            ) as response:
                status, reason, answer = (
                    response.status,
                    response.reason or "",
                    await response.read(),
                )
            shown = 200 if status == 200 else 424
        except TimeoutError:
            shown = 408
        except (aiohttp.ClientError, KeyError):
            pass  # no answer, or the deployment was deleted meanwhile
        if of_client:
            self._observations.append(
                Observation(started, name, status, (time.perf_counter() - began) * 1000)
            )
        error = {STATUS_HEADER: str(status), REASON_HEADER: reason} if shown == 424 else {}
        shown_headers = {
            DEPLOYMENT_HEADER: name,
            "x-request-id": headers["x-request-id"],
            "Content-Type": "application/json",
        }
        return web.Response(status=shown, body=answer, headers=shown_headers | error)

    @property
    def session(self) -> aiohttp.ClientSession:
        """The client, made within the event loop that it runs in."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout, connector=aiohttp.TCPConnector(limit=0)
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
