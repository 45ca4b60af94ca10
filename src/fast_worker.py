"""The worker of our fast server, for gunicorn's ``--worker-class fast_worker.FastWorker``: uvicorn, on uvloop.

It drains before it stops, and ends with its master: uvicorn alone does neither.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any, cast

import uvicorn
from uvicorn_worker import UvicornWorker

import server
import settings
from front import THREADS, Front
from front_protocol import FrontProtocol
from lean_lane import LeanLane
from payload import Limits

ACCESS_LOG = logging.getLogger("uvicorn.access")
ERROR_LOG = logging.getLogger("uvicorn.error")
TICKS = 10
"""Of uvicorn's, in a second."""


class FastWorker(UvicornWorker):  # type: ignore[misc]
    """See ``server.Worker``."""

    CONFIG_KWARGS = {  # noqa: RUF012 uvicorn's
        "loop": "uvloop",
        "http": FrontProtocol,
        "ws": "none",
        "lifespan": "off",
        "interface": "asgi3",
        "proxy_headers": False,
        "server_header": False,
    }
    threads = THREADS

    def load_wsgi(self) -> None:
        """azmlinfsrv's application, which calls ``init()``, behind our front."""
        self.master = self.ppid
        self.drain_seconds = 0.0
        self.drain: Callable[[], None] = _nothing
        server.enter(self)
        super().load_wsgi()
        for log in (ACCESS_LOG, ERROR_LOG):
            log.disabled = False  # azmlinfsrv's configuration of logging disables what there is
        ERROR_LOG.setLevel(logging.WARNING)
        configured = settings.load(os.environ)
        if not configured.scoring_access_log:
            ACCESS_LOG.handlers = []
        flask: Any = self.wsgi
        lane = flask.wsgi_app if isinstance(flask.wsgi_app, LeanLane) else None
        limits = Limits(configured.scoring_max_bytes)
        self.wsgi: Any = Front(flask, lane, limits, configured.scoring_body_timeout_ms / 1000)

    def drop_access_log(self) -> None:
        """``load_wsgi`` does, also where ``init()`` ran in the master."""

    def drain_on_sigterm(self, seconds: float, drain: Callable[[], None]) -> None:
        self.drain_seconds, self.drain = seconds, drain

    async def _serve(self) -> None:
        self.config.app = self.wsgi
        await Server(self.config, self).serve(sockets=[listener.sock for listener in self.sockets])


class Server(uvicorn.Server):
    """uvicorn's, that drains on SIGTERM, ends with its master and looks after timeouts."""

    def __init__(self, config: uvicorn.Config, worker: FastWorker) -> None:
        super().__init__(config)
        self._worker = worker
        self._draining = False

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.drain_then_stop)
        for number in (signal.SIGINT, signal.SIGQUIT):
            loop.add_signal_handler(number, self.stop)
        yield

    def drain_then_stop(self) -> None:
        """The signal may come twice, from the master and to the process group: the second changes nothing."""
        if not self._draining:
            self._draining = True
            self._worker.drain()
            asyncio.get_running_loop().call_later(self._worker.drain_seconds, self.stop)

    def stop(self) -> None:
        """What is in flight is still answered."""
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                cast(FrontProtocol, connection).look(now)
            if os.getppid() != self._worker.master:
                self.drain_then_stop()
        return await super().on_tick(counter)


def _nothing() -> None:
    """There is nothing to drain where ``init()`` ran in the master (WORKER_PRELOAD)."""
