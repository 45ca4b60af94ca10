import asyncio
import os
import signal
import socket
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
import uvloop

from azureml_scoring.http import connection_ends
from azureml_scoring.http.asgi import Front
from azureml_scoring.http.front_protocol import FrontProtocol
from azureml_scoring.http.server import Server
from fake_connection import BODY, flask, request
from fake_endpoint import PATIENCE, Endpoint


def serving(
    happened: list[str], master: int | None = None, *, told_to_stop: bool = False
) -> Server:
    worker: Any = SimpleNamespace(
        master=master or os.getppid(),
        told_to_stop=told_to_stop,
        drain_seconds=0.05,
        drain=lambda: happened.append("drain"),
    )
    return Server(uvicorn.Config(pytest.fail, log_config=None), worker)


async def until_it_stops(server: Server, counter: int = 1) -> None:
    async with asyncio.timeout(60):
        while not await server.on_tick(counter):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("number", "drains"), [(signal.SIGTERM, 1), (signal.SIGINT, 0), (signal.SIGQUIT, 0)]
)
def test_sigterm_drains_once_before_the_server_stops(number: int, drains: int):
    """Further signals change nothing; Ctrl-C and SIGQUIT stop at once."""
    happened = list[str]()

    async def main() -> None:
        server = serving(happened)
        with server.capture_signals():
            for _ in range(3):
                signal.raise_signal(number)
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert server.should_exit == (not drains)
            await until_it_stops(server)

    asyncio.run(main())
    assert happened == ["drain"] * drains


def test_a_worker_ends_with_its_master():
    """It drains first, so that its requests are answered."""
    happened = list[str]()
    asyncio.run(until_it_stops(serving(happened, master=1 << 30), counter=0))
    assert happened == ["drain"]


def test_a_signal_that_came_before_the_loop_was_there_is_not_lost():
    """Otherwise its master would wait, and then kill it."""
    happened = list[str]()
    asyncio.run(until_it_stops(serving(happened, told_to_stop=True), counter=0))
    assert happened == ["drain"]


def test_each_connection_is_looked_after_once_a_second():
    """uvicorn ticks ten times a second."""

    class Connection:
        looks = 0

        def look(self, now: float) -> None:
            self.looks += 1

    async def main() -> int:
        server, connection = serving([]), Connection()
        server.server_state.connections.add(connection)  # type: ignore[arg-type]
        for counter in range(20):
            await server.on_tick(counter)
        return connection.looks

    assert asyncio.run(main()) == 2


def stopping_at_once(listener: socket.socket, endpoint: Endpoint) -> Server:
    """Return a server that is told to stop before it has accepted any connection."""
    front = Front(flask, endpoint)  # type: ignore[arg-type]
    options: dict[str, Any] = {
        "ws": "none",
        "lifespan": "off",
        "interface": "asgi3",
        "proxy_headers": False,
    }
    worker: Any = SimpleNamespace(
        master=os.getppid(), workers=2, told_to_stop=False, drain_seconds=0.0, drain=lambda: None
    )
    server = Server(uvicorn.Config(front, http=FrontProtocol, log_config=None, **options), worker)
    server.stop()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(server.serve([listener]), PATIENCE))
    return server


@pytest.fixture
def short_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    """End connections soon after the server stops."""
    monkeypatch.setattr(connection_ends, "LINGER_S", 0.3)


@pytest.mark.usefixtures("short_linger")
def test_what_waits_to_be_accepted_when_the_server_stops_is_answered():
    """Each client reads its whole answer, which says that it is the last one."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    clients = [socket.create_connection(address, PATIENCE) for _ in range(20)]
    for client in clients:
        client.sendall(request())
    stopping_at_once(listener, Endpoint())
    for client in clients:
        with client:
            answer = b"".join(iter(lambda client=client: client.recv(65_536), b""))
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"connection: close\r\n" in answer
            assert answer.endswith(BODY)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, PATIENCE)


@pytest.mark.usefixtures("short_linger")
def test_clients_that_say_nothing_read_nothing_or_go_on_do_not_keep_a_server_from_stopping():
    """One only connects, one never ends its head, one sends on behind its last answer."""
    listener = socket.create_server(("127.0.0.1", 0))
    silent, dripping, busy = (
        socket.create_connection(listener.getsockname(), PATIENCE) for _ in range(3)
    )
    dripping.sendall(request()[:20])
    busy.sendall(request() * 2 + request()[:-1])
    stopping_at_once(listener, Endpoint())
    assert busy.recv(65_536).endswith(BODY)
    for client in (silent, dripping, busy):
        with client:
            assert client.recv(65_536) == b""
