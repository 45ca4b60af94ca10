"""Our worker, which takes the place of gunicorn's own under ``azmlinfsrv``: uvicorn on uvloop, and
our front on it.

gunicorn's master notices nothing: it goes on to hold the socket, to replace a worker that dies and
to say when to stop. uvicorn alone would neither drain before it stops, nor end with its master.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Any

import uvicorn
import uvloop

from azureml_scoring import log, settings
from azureml_scoring.http import connections
from azureml_scoring.http.asgi import THREADS, Front
from azureml_scoring.http.connections import MOST_CONNECTIONS
from azureml_scoring.http.express_lane import FrontProtocol
from azureml_scoring.http.lean_lane import LeanLane
from azureml_scoring.http.server import Server
from azureml_scoring.inputs.payload import Limits

KEEP_ALIVE = 75
"""Seconds that an idle connection is kept: longer than a proxy in front keeps it, or it would find
it closed."""

LEVELS = {"uvicorn.error": logging.WARNING, "uvicorn.access": logging.INFO}


class FastWorker:
    """See ``process.Worker``. ``gunicorn``: the worker that runs once it has loaded the application,
    which calls ``init()``, which calls this."""

    threads = THREADS

    def __init__(self, gunicorn: Any) -> None:
        """Raises AttributeError where it is not as we know it."""
        self.master: int = gunicorn.ppid
        self.workers: int = gunicorn.cfg.workers
        self.drain_seconds = 0.0
        self.drain: Callable[[], None] = lambda: None
        self._gunicorn = gunicorn
        self._access_log = True
        self._logs = {
            "uvicorn.error": gunicorn.log.error_log,
            "uvicorn.access": gunicorn.log.access_log,
        }
        self._options = {
            "backlog": gunicorn.cfg.backlog,
            "limit_max_requests": gunicorn.max_requests,
            "timeout_notify": gunicorn.timeout,
        }
        gunicorn.run = self.run

    def drop_access_log(self) -> None:
        self._access_log = False

    def drain_on_sigterm(self, seconds: float, drain: Callable[[], None]) -> None:
        self.drain_seconds, self.drain = seconds, drain

    @property
    def told_to_stop(self) -> bool:
        """By a signal that came while the model was loaded: gunicorn's handler got it, for there
        was no loop yet."""
        return not self._gunicorn.alive

    def run(self) -> None:
        """Until the server is told to stop."""
        if self.told_to_stop:
            return
        for name, theirs in self._logs.items():
            uvicorns = logging.getLogger(name)
            uvicorns.handlers, uvicorns.propagate = theirs.handlers, False
            uvicorns.setLevel(LEVELS[name])
        config = uvicorn.Config(
            self._front(self._gunicorn.wsgi),
            http=FrontProtocol,
            interface="asgi3",
            lifespan="off",
            ws="none",
            access_log=self._access_log,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            callback_notify=self._tell_master,
            **self._options,
        )
        sockets = [listener.sock for listener in self._gunicorn.sockets]
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(Server(config, self, _most_connections()).serve(sockets))

    def _front(self, flask: Any) -> Front:
        configured = settings.load(os.environ)
        lane = flask.wsgi_app if isinstance(flask.wsgi_app, LeanLane) else None
        return Front(
            flask,
            lane,
            Limits(configured.scoring_max_bytes),
            configured.scoring_body_timeout_ms / 1000,
        )

    async def _tell_master(self) -> None:
        """That it lives."""
        self._gunicorn.notify()


def _most_connections() -> int:
    most = connections.allowed()
    if most < MOST_CONNECTIONS:
        log.event(
            f"This worker takes {most} connections at once, for it may open few files; raise that: "
            f"ulimit -n 4096.",
            logging.WARNING,
        )
    return most
