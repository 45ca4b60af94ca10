"""One deployment of a rehearsal: a server with one worker, in a stand-in for a container."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from mlops import output
from mlops.endpoint import State
from mlops.serve import GUNICORN, command

PATIENCE_S = 60
"""How long a deployment may take to get ready, or to stop."""

MAX_LOG_LINES = 20


@dataclass(frozen=True)
class DeployedModel:
    """What is deployed: the folder of a packaged model, and settings in addition to ours."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)


class Deployment:
    """A deployment whose server writes to ``log``."""

    def __init__(self, name: str, log: Path) -> None:
        self.state = State.CREATING
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._name = name
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, artifact: DeployedModel, session: aiohttp.ClientSession) -> None:
        """Start the server and wait until it is ready or has failed."""
        ours = {
            "AZUREML_MODEL_DIR": str(artifact.folder.absolute()),
            "DEPLOYMENT_NAME": self._name,
            "GUNICORN_CMD_ARGS": GUNICORN,
            "SCORING_CACHE": "off",
            "SCORING_DRAIN_MS": "0",
            "WORKER_COUNT": "1",
        }
        with output.open_log(self._log) as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "mlops.rehearsal.container",
                str(os.getpid()),
                *command(self._port),
                env={**os.environ, **ours, **artifact.environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and self._process.returncode is None:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(f"{self.url}/readiness") as response:
                    if response.status == 200:
                        self.state = State.READY
                        return
            await asyncio.sleep(0.1)
        self.state = State.FAILED
        await self.stop()

    @property
    def pid(self) -> int:
        """The container's process id; the server is its child."""
        assert self._process  # noqa: S101
        return self._process.pid

    def lines(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-MAX_LOG_LINES:])

    async def stop(self) -> None:
        """Stop the server once it has answered its requests."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, TimeoutError):
            self._process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(PATIENCE_S):
                await self._process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
