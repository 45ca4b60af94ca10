"""The endpoint of a rehearsal: a process with the splitter, its deployments, and routes to manage
them.

``python -m mlops.rehearsal.stage`` prints its port and ends with its standard input. So the
endpoint outlives a controller that dies.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from pathlib import Path

from aiohttp import web

from mlops.endpoint import State, Status, Traffic
from mlops.rehearsal.deployment import DeployedModel, Deployment
from mlops.rehearsal.splitter import Splitter


class EndpointServer:
    def __init__(self) -> None:
        self._deployments: dict[str, Deployment] = {}
        self._urls: dict[str, str] = {}
        self._splitter = Splitter(self._urls)
        self._tags: dict[str, str] = {}
        self._changing = asyncio.Lock()

    def application(self) -> web.Application:
        app = web.Application(client_max_size=16 * 2**20)
        app.router.add_post("/score", self._splitter.score)
        app.router.add_get("/traffic", self._traffic)
        app.router.add_put("/traffic", self._set_traffic)
        app.router.add_get("/deployments", self._states)
        app.router.add_put("/deployments/{name}", self._deploy)
        app.router.add_delete("/deployments/{name}", self._delete)
        app.router.add_get("/deployments/{name}/logs", self._logs)
        app.router.add_get("/blocks", self._blocks)
        app.on_cleanup.append(self._close)
        return app

    async def _traffic(self, _: web.Request) -> web.Response:
        return web.json_response(asdict(Status(self._splitter.traffic, self._tags)))

    async def _set_traffic(self, request: web.Request) -> web.Response:
        status = await request.json()
        traffic = Traffic(**status["traffic"])
        if wrong := self._wrong(traffic):
            return web.Response(text=wrong, status=400)
        self._splitter.direct(traffic)
        self._tags = status["tags"]
        return web.json_response({})

    def _wrong(self, traffic: Traffic) -> str | None:
        """Return why Azure would refuse ``traffic``, or None."""
        live, mirror = (
            {name for name, n in part.items() if n} for part in (traffic.live, traffic.mirror)
        )
        if sum(traffic.live.values()) not in (0, 100):
            return "The traffic must add up to 0 or 100."
        if missing := (live | mirror) - self._urls.keys():
            return f"There is no deployment {', '.join(sorted(missing))}."
        if len(mirror) > 1 or sum(traffic.mirror.values()) > 50 or mirror & live:
            return "One deployment without traffic may be mirrored to, with 50 percent at most."
        return None

    async def _states(self, _: web.Request) -> web.Response:
        return web.json_response(
            {name: deployment.state for name, deployment in self._deployments.items()}
        )

    async def _deploy(self, request: web.Request) -> web.Response:
        name, artifact = request.match_info["name"], await request.json()
        async with self._changing:
            before = self._deployments.get(name)
            made = self._deployments[name] = Deployment(name, Path(artifact["log"]))
            await made.start(
                DeployedModel(Path(artifact["folder"]), artifact["environment"]),
                self._splitter.session,
            )
            if made.state is State.READY:
                self._urls[name] = made.url
            if before:
                await before.stop()
        return web.json_response({"state": made.state})

    async def _delete(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        async with self._changing:
            if self._splitter.traffic.live.get(name) or self._splitter.traffic.mirror.get(name):
                return web.Response(
                    text=f"{name} has traffic; direct it elsewhere first.", status=409
                )
            self._urls.pop(name, None)
            if deployment := self._deployments.pop(name, None):
                await deployment.stop()
        return web.json_response({})

    async def _logs(self, request: web.Request) -> web.Response:
        deployment = self._deployments.get(request.match_info["name"])
        return web.Response(text=deployment.lines() if deployment else "")

    async def _blocks(self, request: web.Request) -> web.Response:
        since = float(request.query["since"])
        return web.json_response([asdict(block) for block in self._splitter.blocks(since)])

    async def _close(self, _: web.Application) -> None:
        await asyncio.gather(*(deployment.stop() for deployment in self._deployments.values()))
        await self._splitter.close()


async def main() -> None:
    runner = web.AppRunner(EndpointServer().application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
