"""uvicorn's server as a gunicorn worker needs it: it drains on SIGTERM, ends with its master, and
checks timeouts.

When it stops, it still answers the connections that the kernel has accepted for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Protocol, cast

import uvicorn

from azureml_scoring.http import listener
from azureml_scoring.http.connections import MAX_CONNECTIONS, Connections
from azureml_scoring.http.fair_accept import SUPPORTED, FairServer
from azureml_scoring.http.front_protocol import FrontProtocol

TICKS_PER_S = 10
"""How often uvicorn calls ``on_tick``."""


class DrainableWorker(Protocol):
    """The worker as its server sees it. ``workers``: how many the server has; ``drain``: called
    once, ``drain_seconds`` before the server stops."""

    master: int
    workers: int
    drain_seconds: float
    drain: Callable[[], None]

    @property
    def told_to_stop(self) -> bool:
        """True if a signal to stop came before the loop ran."""


class Server(uvicorn.Server):
    server_state: Connections

    def __init__(
        self,
        config: uvicorn.Config,
        worker: DrainableWorker,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        super().__init__(config)
        self.server_state = Connections(max_connections)
        self._worker = worker

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.drain_then_stop)
        for number in (signal.SIGINT, signal.SIGQUIT):
            loop.add_signal_handler(number, self.stop)
        yield

    def drain_then_stop(self) -> None:
        """Drain now, stop later. The signal may come twice, from the master and to the process
        group: the second changes nothing."""
        if not self.server_state.draining:
            self._worker.drain()
            self._drain()
            asyncio.get_running_loop().call_later(self._worker.drain_seconds, self.stop)

    def stop(self) -> None:
        """Stop; requests in flight are still answered."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self._worker.workers == 1 or not SUPPORTED:
            await super().startup(sockets)
            return
        await super().startup([])
        self.servers += [
            cast(asyncio.Server, FairServer(socket_, self._protocol)) for socket_ in sockets or []
        ]

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS_PER_S == 0:
            self._look()
            if os.getppid() != self._worker.master or self._worker.told_to_stop:
                self.drain_then_stop()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, after answering also what the kernel has accepted for this worker."""
        self._drain()
        await self._close_listeners(sockets or [])
        self.server_state.stopping = True
        looking = asyncio.create_task(self._keep_looking())
        await super().shutdown(sockets)
        looking.cancel()

    def _drain(self) -> None:
        self.server_state.draining = True
        for connection in list(self.server_state.connections):
            cast(FrontProtocol, connection).drain()

    async def _close_listeners(self, sockets: list[socket.socket]) -> None:
        """Accept the connections that wait, then close: only this worker may have been woken for
        them."""
        for socket_ in sockets:
            if not listener.is_shared(socket_, self._worker.master):
                listener.take_no_more(socket_)
        await asyncio.sleep(listener.HANDSHAKE_S)
        accepted = [waiting for socket_ in sockets for waiting in listener.waiting(socket_)]
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        for waiting in accepted:
            await loop.connect_accepted_socket(self._protocol, waiting)

    def _protocol(self) -> FrontProtocol:
        return FrontProtocol(self.config, self.server_state, {})

    async def _keep_looking(self) -> None:
        while True:
            self._look()
            await asyncio.sleep(1 / TICKS_PER_S)

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in list(self.server_state.connections):
            cast(FrontProtocol, connection).look(now)
