"""Two instances behind one address, as behind a Kubernetes service: each has traffic while it is
ready."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psutil
from aiohttp import web

from azureml_scoring.errors import StartupError
from mlops import output
from mlops.endpoint import State, Traffic
from mlops.rehearsal.deployment import DeployedModel, Deployment
from mlops.rehearsal.splitter import Splitter

ONE, TWO = "one", "two"
PROBE_S = 0.25
"""Time between probes, and the timeout of one. A stopped instance drains for much longer."""


def check(folder: Path) -> None:
    """Refuse to overwrite a file that is not a log of ours. Raises StartupError."""
    for name in (ONE, TWO):
        for file in folder.glob(f"{name}-*.log"):
            output.check(file)


class Balancer:
    """The instances, whose logs go to ``folder``."""

    def __init__(self, artifact: DeployedModel, folder: Path) -> None:
        self._artifact = artifact
        self._folder = folder
        self._instances: dict[str, Deployment] = {}
        self._splitter = Splitter({})
        self._started = 0

    async def start(self, name: str) -> None:
        """Start an instance and wait until it is ready. Raises StartupError."""
        self._started += 1
        instance = Deployment(name, self._folder / f"{name}-{self._started}.log")
        await instance.start(self._artifact, self._splitter.session)
        if instance.state is not State.READY:
            raise StartupError(f"Instance {name} did not start; its log ends: {instance.lines()}")
        self._instances[name] = instance
        self._splitter.backends = {name: running.url for name, running in self._instances.items()}

    async def stop(self, name: str) -> None:
        """Stop an instance by SIGTERM and wait until it has ended."""
        await self._instances[name].stop()

    def workers(self, name: str) -> list[psutil.Process]:
        (server,) = psutil.Process(self._instances[name].pid).children()
        return [
            child
            for child in server.children()
            if "resource_tracker" not in " ".join(child.cmdline())
        ]

    def kill_worker(self, name: str) -> None:
        self.workers(name)[0].send_signal(signal.SIGKILL)

    async def watch(self) -> None:
        """Give the instances that are ready equal shares of the traffic, until cancelled."""
        while True:
            ready = [name for name in self._instances if await self._ready(name)]
            traffic = Traffic({name: 100 // len(ready) for name in ready})
            if traffic != self._splitter.traffic:
                self._splitter.direct(traffic)
            await asyncio.sleep(PROBE_S)

    async def _ready(self, name: str) -> bool:
        """True if the instance is ready. If its probe times out, its state is kept."""
        timeout = aiohttp.ClientTimeout(total=PROBE_S)
        try:
            async with self._splitter.session.get(
                f"{self._instances[name].url}/readiness", timeout=timeout
            ) as answer:
                return answer.status == 200
        except TimeoutError:
            return name in self._splitter.traffic.live
        except aiohttp.ClientError:
            return False

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Start both instances, yield their URL, and stop them at the end."""
        app = web.Application(client_max_size=16 * 2**20)
        app.router.add_post("/score", self._splitter.score)
        runner = web.AppRunner(app)
        watching = None
        try:
            await asyncio.gather(self.start(ONE), self.start(TWO))
            watching = asyncio.create_task(self.watch())
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/score"
        finally:
            if watching:
                watching.cancel()
            await runner.cleanup()
            await asyncio.gather(*(instance.stop() for instance in self._instances.values()))
            await self._splitter.close()
