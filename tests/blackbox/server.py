"""Starts real servers, as a user does, and watches them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

import support
from mlops.serve import GUNICORN
from template import Forked, Started

REPOSITORY = Path(__file__).parents[2]
AZMLINFSRV = str(Path(sys.executable).with_name("azmlinfsrv"))
PATIENCE = 120
"""Seconds until a test gives up on what must happen; no test depends on how long it took."""

BARE: dict[str, str] = {}
"""No configuration at all: one worker. gunicorn's own takes one request at a time."""

THREADS = {"GUNICORN_CMD_ARGS": GUNICORN, "WORKER_COUNT": "2"}
"""What `make serve` starts, with two workers."""

ONE_WORKER = THREADS | {"WORKER_COUNT": "1"}
"""The same with one, for all that does not depend on their number: each loads the model anew."""


HTTP = httpx.Client(
    timeout=PATIENCE,
    trust_env=False,
    verify=False,
    limits=httpx.Limits(max_keepalive_connections=0),
)
"""Sends each request on a new connection. It has no TLS: `httpx.get` sets that up anew for each
request, which takes longer than the answer."""


def until(condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Return what ``condition`` returns once that is true."""
    limit = time.monotonic() + patience
    while time.monotonic() < limit:
        if result := condition():
            return result
        time.sleep(0.05)
    raise AssertionError(f"not within {patience:g} seconds: {what}")


def occupy(
    server: Server, pool: ThreadPoolExecutor, seconds: float, count: int
) -> list[Future[httpx.Response]]:
    """Send requests; they are in flight when this returns."""
    before = server.get("/health").json()["in_flight"]
    futures = [pool.submit(server.client.post, "/score", json=[[seconds]]) for _ in range(count)]
    until(lambda: server.get("/health").json()["in_flight"] >= before + count, "they are in flight")
    return futures


def answer_on(connection: socket.socket) -> tuple[int, bytes]:
    """Read the next answer of a connection; return its status and its body."""
    response = HTTPResponse(connection)
    response.begin()
    return response.status, response.read()


def needs(command: str, package: str | None = None) -> None:
    """Say how to get a program that a test needs. ``package``: its name, if the command has
    another."""
    if shutil.which(command) is None:
        pytest.fail(f"{command} is not installed; get it by `apt-get install {package or command}`")


def runs(pid: int) -> bool:
    """Return False for a zombie: in a container nothing may reap it."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


class Server:
    """One server with its workers. ``log`` is all of its output. It is forked from a process that
    has loaded scikit-learn; ``Started`` is for tests of what that might change."""

    kind = "ours"
    """``pytest --worker gunicorn`` changes it."""

    def __init__(
        self,
        model_dir: Path,
        folder: Path,
        env: dict[str, str],
        source: Path = Path("src"),
        start: type[Started | Forked] = Forked,
    ) -> None:
        self.port = support.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / f"server-{self.port}.log"
        clean = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        ours = {"PYTHONPATH": str(support.MODELS), "TMPDIR": str(folder), "SCORING_DRAIN_MS": "0"}
        ours["AZUREML_MODEL_DIR"] = str(model_dir)
        self._log.touch()
        self.process = start(
            [AZMLINFSRV, "--entry_script", str(source / "score.py"), "--port", str(self.port)],
            cwd=REPOSITORY,
            env=clean | ours | self.worker() | env,
            output=self._log,
        )
        self.client = self.new_client()

    @classmethod
    def worker(cls) -> dict[str, str]:
        """Return the environment of a worker."""
        return {"SCORING_FAST_WORKER": str(cls.kind == "ours")}

    def new_client(self) -> httpx.Client:
        """Return a client with its own connections, so that any worker may take them. It has no
        TLS, whose set-up is slow."""
        return httpx.Client(base_url=self.url, timeout=PATIENCE, trust_env=False, verify=False)

    def fresh(self, method: str, path: str, document: Any = None) -> httpx.Response:
        """Send a request on a new connection."""
        with self.new_client() as client:
            return client.request(method, path, json=document)

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def lines(self) -> list[dict[str, Any]]:
        """Return the JSON lines of the log."""
        return [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]

    def logged(self, *ids: str) -> list[dict[str, Any]]:
        """Return the lines of these requests, by their own id or the client's. A line is written
        after the answer is sent."""

        def found() -> list[dict[str, Any]]:
            lines = [
                line
                for line in self.lines()
                if {line.get("request_id"), line.get("client_request_id")} & {*ids}
            ]
            return lines if len(lines) >= len(ids) else []

        lines: list[dict[str, Any]] = until(found, f"there is a line for each of {ids}")
        return lines

    def wait_until_up(self) -> None:
        def up() -> bool:
            assert self.process.poll() is None, self.log
            with contextlib.suppress(httpx.TransportError):
                return self.client.get("/").status_code == 200
            return False

        until(up, "the server answers")

    def score(self, document: Any, **options: Any) -> httpx.Response:
        return self.client.post("/score", json=document, **options)

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def workers(self) -> list[int]:
        return [child.pid for child in psutil.Process(self.process.pid).children()]

    def stop(self) -> None:
        self.client.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def serving(
    model_dir: Path,
    folder: Path,
    *,
    up: bool = True,
    start: type[Started | Forked] = Forked,
    **env: str,
) -> Iterator[Server]:
    server = Server(model_dir, folder, env, start=start)
    try:
        if up:
            server.wait_until_up()
        yield server
    finally:
        server.stop()
