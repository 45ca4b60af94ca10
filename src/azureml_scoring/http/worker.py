"""Our worker, in the place of gunicorn's own under ``azmlinfsrv``: uvicorn on uvloop.

gunicorn's master still holds the socket, replaces a worker that dies and says when to stop. uvicorn
alone would neither drain before it stops nor end with its master.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import uvicorn
import uvloop

from azureml_scoring import log
from azureml_scoring.http import connections
from azureml_scoring.http.asgi import THREADS, Front
from azureml_scoring.http.connections import MAX_CONNECTIONS
from azureml_scoring.http.endpoint import ScoringEndpoint
from azureml_scoring.http.front_protocol import FrontProtocol
from azureml_scoring.http.server import Server

KEEP_ALIVE_S = 75
"""How long an idle connection is kept: longer than a proxy in front keeps it, which would otherwise
find it closed."""

LOG_LEVELS = {"uvicorn.error": logging.WARNING, "uvicorn.access": logging.INFO}


class FastWorker:
    """Our worker as a ``process.Worker``. ``gunicorn``: the worker that it replaces, which is
    loading the application: that calls ``init()``, and ``init()`` this."""

    threads = THREADS
    _endpoint: ScoringEndpoint

    def __init__(self, gunicorn: Any) -> None:
        """Raises AttributeError if this gunicorn has an unknown form."""
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

    def answer_by(self, endpoint: ScoringEndpoint) -> None:
        self._endpoint = endpoint

    def drop_access_log(self) -> None:
        self._access_log = False

    def drain_on_sigterm(self, seconds: float, drain: Callable[[], None]) -> None:
        self.drain_seconds, self.drain = seconds, drain

    @property
    def told_to_stop(self) -> bool:
        """True if a signal came while the model was loaded: gunicorn's handler got it, as there was
        no loop yet."""
        return not self._gunicorn.alive

    def run(self) -> None:
        """Serve until the server is told to stop."""
        if self.told_to_stop:
            return
        for name, gunicorns in self._logs.items():
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = gunicorns.handlers, False
            logger.setLevel(LOG_LEVELS[name])
        config = uvicorn.Config(
            Front(self._gunicorn.wsgi, self._endpoint),
            http=FrontProtocol,
            interface="asgi3",
            lifespan="off",
            ws="none",
            access_log=self._access_log,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            callback_notify=self._tell_master,
            **self._options,
        )
        sockets = [listener.sock for listener in self._gunicorn.sockets]
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(Server(config, self, _max_connections()).serve(sockets))

    async def _tell_master(self) -> None:
        """Tell the master that this worker is alive."""
        self._gunicorn.notify()


def _max_connections() -> int:
    allowed = connections.allowed()
    if allowed < MAX_CONNECTIONS:
        log.event(
            f"This worker takes {allowed} connections at once, as it may open only few files; "
            "raise the limit: ulimit -n 4096.",
            logging.WARNING,
        )
    return allowed
