"""Our fast server: the application that ``azmlinfsrv`` serves, on granian. ``python fast_server.py --help``.

The master keeps WORKER_COUNT workers alive. A worker that can't start ends the server, as under gunicorn: the
orchestrator is to see it.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import granian
import granian.constants
from granian.server.mp import MPServer

import artifact
import server
import settings
import telemetry
from errors import StartupError
from front import CONNECTIONS, THREADS, Front
from front_loop import FrontLoop
from lean_lane import LeanLane
from payload import Limits

START_FAILED = 3
"""Exit status, the one of gunicorn."""

GRACE = 60
"""Seconds that a worker may take to drain and to finish what is in flight."""


class FastWorker:
    """See ``server.Worker``."""

    threads = THREADS

    def __init__(self, loop: FrontLoop) -> None:
        self.master = os.getppid()
        self.drain_on_sigterm: Callable[[float, Callable[[], None]], None] = loop.drain_on_sigterm

    def drop_access_log(self) -> None:
        """The master knows whether there is one."""


@granian.loops.register("front")
def _front_loop() -> FrontLoop:
    loop = FrontLoop()
    server.enter(FastWorker(loop))
    return loop


class _Server(MPServer):
    """With one listening socket for all workers, which the master keeps: who asked a dead one waits for the next.

    granian has it so elsewhere; on Linux it gives each worker one of its own, and what waits there dies with it.
    """

    _shd: Any
    _ssp: Any
    _sso: Any

    def _init_shared_socket(self) -> None:
        super()._init_shared_socket()  # type: ignore[no-untyped-call]
        if self._shd is None:
            self._shd = self._ssp.build()
            self._ssp = None
            self._sso = socket.socket(fileno=self._shd.get_fd())
            self._sso.set_inheritable(True)


def serve(port: int) -> None:
    """Until SIGTERM or SIGINT. Raises SystemExit where the workers can't start."""
    configured = settings.load(os.environ)
    artifact.find(configured)  # what is wrong there is told once, not by each worker
    failed = multiprocessing.Value("b", 0)
    telemetry.event(f"Listening on port {port}", workers=configured.worker_count)
    _Server(
        "front",
        address="0.0.0.0",  # noqa: S104 a container's port
        port=port,
        interface=granian.constants.Interfaces.RSGI,
        workers=configured.worker_count,
        loop="front",  # type: ignore[arg-type]
        http=granian.constants.HTTPModes.http1,
        websockets=False,
        backpressure=CONNECTIONS,
        log_access=configured.scoring_access_log,
        respawn_failed_workers=True,
        workers_kill_timeout=GRACE,
        log_level=granian.log.LogLevels.warning,
    ).serve(target_loader=lambda: _load(configured, failed), wrap_loader=False)
    if failed.value:
        sys.exit(START_FAILED)


def _load(configured: settings.Settings, failed: Any) -> Any:
    """In a worker: the server's application, which calls ``init()``, behind our front."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # until it serves; inherited is the master's
    try:
        from azureml_inference_server_http.server.entry import app
    except BaseException:
        failed.value = 1
        os.kill(os.getppid(), signal.SIGTERM)
        raise
    lane = app.wsgi_app if isinstance(app.wsgi_app, LeanLane) else None
    return Front(app, lane, Limits(configured.scoring_max_bytes), configured.scoring_body_timeout_ms / 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the model in AZUREML_MODEL_DIR. docs/settings.md has the rest.")
    parser.add_argument("--port", type=int, default=5001)
    port = parser.parse_args().port
    telemetry.set_up()
    import azureml_inference_server_http as azmlinfsrv

    os.environ.setdefault("AML_APP_ROOT", os.getcwd())
    os.environ["AZUREML_ENTRY_SCRIPT"] = str(Path(__file__).with_name("score.py"))
    os.environ["HTTP_X_MS_SERVER_VERSION"] = f"azmlinfsrv/{azmlinfsrv.__version__}"
    try:
        serve(port)
    except StartupError as error:
        telemetry.event(str(error), logging.CRITICAL)
        sys.exit(START_FAILED)


if __name__ == "__main__":
    main()
