"""The servers that are compared: how each is started and called. None has an access log."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

BENCHMARKS = Path(__file__).parent
REPOSITORY = BENCHMARKS.parent
BUILD = REPOSITORY / "build" / "bench"
START_TIMEOUT_S = 60
"""Time after which a server that does not answer is given up."""


class Unusable(Exception):
    """The server can't be measured. The message says why, for the report."""


@dataclass(frozen=True)
class Server:
    """A server to compare.

    ``peer`` names its environment below build/bench and its folder below peers/; our servers and
    the guide's script have none. ``ours`` marks our servers, ``constant`` one that predicts
    nothing. ``liveness``: the path of its liveness probe. ``command`` and ``env`` may name {bin}
    {app} {repository} {model} {port} {grpc} {metrics} {workers}.
    """

    name: str
    title: str
    command: str
    peer: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    path: str = "/score"
    liveness: str = "/liveness"
    ours: bool = False
    constant: bool = False


UVICORN = (
    "{bin}/uvicorn app:app --app-dir {app} --host 127.0.0.1 --port {port} "
    "--workers {workers} --no-access-log"
)

SERVERS = {
    server.name: server
    for server in (
        Server(
            "guide",
            "azmlinfsrv, the guide's script",
            "{repository}/.venv/bin/azmlinfsrv --entry_script "
            "{repository}/benchmarks/peers/guide/score.py --port {port} --model_dir {model}",
            liveness="/",
        ),
        Server(
            "azmlinfsrv",
            "azmlinfsrv, our script",
            "{repository}/benchmarks/serve-one azmlinfsrv {model} {port}",
            env={"WORKERS": "{workers}"},
            ours=True,
        ),
        Server(
            "gunicorn",
            "azmlinfsrv, our script, gunicorn's own worker",
            "{repository}/benchmarks/serve-one azmlinfsrv {model} {port}",
            env={"WORKERS": "{workers}", "SCORING_FAST_WORKER": "false"},
            ours=True,
        ),
        Server(
            "fast",
            "ours, as make serve starts it",
            "{repository}/benchmarks/serve-one fast {model} {port}",
            env={"WORKERS": "{workers}"},
            ours=True,
        ),
        Server(
            "mlserver",
            "MLServer",
            "{bin}/mlserver start {app}",
            peer="mlserver",
            env={
                "MLSERVER_HTTP_PORT": "{port}",
                "MLSERVER_GRPC_PORT": "{grpc}",
                "MLSERVER_METRICS_PORT": "{metrics}",
                "MLSERVER_HOST": "127.0.0.1",
                "MLSERVER_PARALLEL_WORKERS": "0",
                "MLSERVER_MODEL_URI": "{model}/model.pkl",
            },
            path="/v2/models/model/infer",
            liveness="/v2/health/live",
        ),
        Server(
            "bentoml",
            "BentoML",
            "{bin}/bentoml serve app:Score --working-dir {app} --host 127.0.0.1 --port {port}",
            peer="bentoml",
            liveness="/livez",
            env={"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(BUILD / "run" / "bentoml")},
        ),
        Server("litserve", "LitServe", "{bin}/python {app}/app.py {port}", peer="litserve"),
        Server("fastapi-sklearn", "FastAPI + scikit-learn", UVICORN, peer="fastapi-sklearn"),
        Server("fastapi-onnx", "FastAPI + ONNX Runtime + orjson", UVICORN, peer="fastapi-onnx"),
        Server(
            "granian",
            "granian, a constant",
            "{bin}/granian app:app --working-dir {app} --interface wsgi --host 127.0.0.1 --port "
            "{port} --workers 1 --blocking-threads 1 --no-access-log",
            peer="granian",
            constant=True,
        ),
    )
}


def request_of(server: Server, rows: list[list[float]]) -> bytes:
    if server.name != "mlserver":
        return json.dumps({"data": rows}).encode()
    flat = [value for row in rows for value in row]
    tensor = {"name": "X", "datatype": "FP64", "shape": [len(rows), len(rows[0])], "data": flat}
    return json.dumps({"inputs": [tensor]}).encode()


def predictions_in(server: Server, body: bytes) -> list[Any]:
    document = json.loads(body)
    if isinstance(document, str):  # azmlinfsrv encodes the guide's string again
        document = json.loads(document)
    predictions: list[Any] = (
        document["outputs"][0]["data"] if server.name == "mlserver" else document["predictions"]
    )
    return predictions


@dataclass
class Running:
    """A server that runs, or has been started."""

    server: Server
    process: subprocess.Popen[bytes]
    port: int
    workers: int
    log: Path
    startup: float = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.server.path}"

    def ask(self, body: bytes, timeout_s: float = START_TIMEOUT_S) -> bytes:
        """Return the body of a 200. Raises URLError or OSError."""
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310
            content: bytes = answer.read()
        return content

    def memory(self) -> float:
        """Return the MiB for each worker.

        It is the proportional set size of all processes, which counts shared pages once.
        """
        total = 0
        for process in self.family():
            with contextlib.suppress(psutil.Error):
                total += process.memory_full_info().pss
        return total / self.workers / 2**20

    def processor_seconds(self) -> float:
        """Return the processor time of all its processes since they started."""
        return sum(
            times.user + times.system
            for times in (process.cpu_times() for process in self.family())
        )

    def family(self) -> list[psutil.Process]:
        """Return the process and all processes below it."""
        try:
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.Error:
            return []


@contextlib.contextmanager
def running(server: Server, model: Path, body: bytes, *, workers: int = 1) -> Iterator[Running]:
    """Start a server and wait for its first 200 to ``body``. Raises Unusable.

    At the end its whole process group is killed, since draining would take seconds and disturb the
    next server. Children outside the group are killed too, such as BentoML's workers, which have
    their own sessions.
    """
    ports = free_ports(3)
    words = {
        "bin": BUILD / str(server.peer) / "bin",
        "app": BENCHMARKS / "peers" / str(server.peer),
        "repository": REPOSITORY,
        "model": model,
        "workers": workers,
    } | dict(zip(("port", "grpc", "metrics"), ports, strict=True))
    scratch = BUILD / "run" / server.name
    scratch.mkdir(parents=True, exist_ok=True)
    log = scratch / "log.txt"
    clean = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    own = {name: value.format(**words) for name, value in server.env.items()} | {
        "MODEL_DIR": str(model)
    }
    begun = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603
            [word.format(**words) for word in server.command.split()],
            cwd=scratch,
            env=clean | own,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    started = Running(server, process, ports[0], workers, log)
    try:
        _wait(started, body)
        started.startup = time.monotonic() - begun
        yield started
    finally:
        family = started.family()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for member in family:
            with contextlib.suppress(psutil.Error):
                member.kill()
        process.wait()


def _wait(started: Running, body: bytes) -> None:
    until = time.monotonic() + START_TIMEOUT_S
    trouble = "no answer"
    while time.monotonic() < until:
        if started.process.poll() is not None:
            lines = started.log.read_text(errors="replace").strip().splitlines() or [
                "it printed nothing"
            ]
            raise Unusable(f"did not start: {lines[-1].strip()}")
        try:
            started.ask(body)
            return
        except (urllib.error.URLError, OSError) as error:
            trouble = str(error)
        time.sleep(0.02)
    raise Unusable(f"no 200 within {START_TIMEOUT_S} s: {trouble}")


def free_ports(count: int) -> list[int]:
    """Return different free ports, found by holding all of them at once."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in held]
