"""Several loops that accept from one socket, as the workers of a server do."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import cast

import pytest
import uvloop

from azureml_scoring.http.fair_accept import FairServer

CONNECTIONS = 40
PATIENCE = 60


@contextmanager
def accepting(listener: socket.socket, name: bytes) -> Iterator[None]:
    """Run a loop in a thread; each client that it accepts is sent the loop's name."""

    class Named(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            transports.append(cast(asyncio.Transport, transport))
            transports[-1].write(name)

    loop = uvloop.new_event_loop()
    started, stopped = threading.Event(), asyncio.Event()
    transports = list[asyncio.Transport]()

    async def run() -> None:
        server = FairServer(listener, Named)
        started.set()
        await stopped.wait()
        server.close()
        server.close()
        for transport in transports:
            transport.abort()
        await asyncio.sleep(0.01)

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert started.wait(PATIENCE)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join(PATIENCE)
        loop.close()


@pytest.mark.parametrize("at_once", [False, True])
def test_connections_are_shared(at_once: bool):
    """No worker takes most of the kept connections, whether they come one by one or all
    together."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS) as listener,
        ExitStack() as stack,
    ):
        for name in (b"a", b"b"):
            stack.enter_context(accepting(listener, name))
        took = []
        connections = []
        for _ in range(CONNECTIONS):
            connections.append(
                stack.enter_context(socket.create_connection(listener.getsockname(), PATIENCE))
            )
            if not at_once:
                took.append(connections[-1].recv(1))
        took += [connection.recv(1) for connection in connections if at_once]
        assert CONNECTIONS // 5 <= took.count(b"a") <= CONNECTIONS * 4 // 5


def test_a_closed_server_leaves_connections_to_the_others():
    """A worker that stops takes none any more, also where it was in a pause."""
    with socket.create_server(("127.0.0.1", 0)) as listener, accepting(listener, b"a"):
        with accepting(listener, b"b"):
            pass
        for _ in range(4):
            with socket.create_connection(listener.getsockname(), PATIENCE) as connection:
                assert connection.recv(1) == b"a"


def test_a_busy_loop_does_not_let_a_queue_of_clients_grow():
    """It accepts as many as an idle one would in the same time, so that a probe among them gets
    through."""
    accepted, rounds = list[asyncio.BaseTransport](), 0

    class Counted(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.append(transport)

    async def run(listener: socket.socket) -> None:
        nonlocal rounds
        server = FairServer(listener, Counted)
        while len(accepted) < 4 * CONNECTIONS:
            time.sleep(0.01)
            await asyncio.sleep(0)
            rounds += 1
        server.close()
        for transport in accepted:
            cast(asyncio.Transport, transport).abort()
        await asyncio.sleep(0.01)

    with (
        socket.create_server(("127.0.0.1", 0), backlog=4 * CONNECTIONS) as listener,
        ExitStack() as stack,
    ):
        for _ in range(4 * CONNECTIONS):
            stack.enter_context(socket.create_connection(listener.getsockname(), PATIENCE))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(listener))
    assert rounds < CONNECTIONS
