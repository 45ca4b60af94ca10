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
from granian._granian import SocketHolder
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


MASTER_LOOK = 1.0
"""Seconds between looks for the master."""


@granian.loops.register("front")
def _front_loop() -> FrontLoop:
    loop = FrontLoop()
    worker = FastWorker(loop)
    server.enter(worker)
    _end_with(worker.master, loop)
    return loop


def _end_with(master: int, loop: FrontLoop) -> None:
    """Or a worker whose master was killed would go on, beside those of the next one."""
    if os.getppid() != master:
        os.kill(os.getpid(), signal.SIGTERM)
    else:
        loop.call_later(MASTER_LOOK, _end_with, master, loop)


class _Server(MPServer):
    """With one listening socket for all workers, which the master keeps: who asked a dead one waits for the next.

    granian has it so elsewhere; on Linux it gives each worker one of its own, and what waits there dies with it. That
    also lets a second server take the same port, and half of the requests.
    """

    _ssp: Any
    _shd: Any
    _sfd: Any
    _sso: Any

    def _init_shared_socket(self) -> None:
        """Raises StartupError."""
        try:
            listening = socket.create_server((self.bind_addr, self.bind_port), backlog=self.backlog)
        except OSError as error:
            raise StartupError(f"Port {self.bind_port} can't be used ({error.strerror}); choose another one.") from None
        listening.set_inheritable(True)
        self._ssp, self._sfd = None, listening.fileno()
        self._shd = SocketHolder(listening.fileno(), False, self.backlog)  # type: ignore[call-arg]
        self._sso = listening

    def _respawn_workers(self, *args: Any, **options: Any) -> None:
        """However soon after the last time: one that can't start ends the server by itself, in ``_load``."""
        super()._respawn_workers(*args, **options)
        self.respawned_wrks.clear()


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
        parent = multiprocessing.parent_process()
        if parent and parent.pid and parent.is_alive():
            os.kill(parent.pid, signal.SIGTERM)
        raise
    for name in ("granian.access", "_granian"):
        logging.getLogger(name).disabled = False  # azmlinfsrv's configuration of logging disables what there is
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
