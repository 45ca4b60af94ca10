"""SIGTERM under clients that keep their connections: every request that was sent is answered.

The clients check for the end of the connection before they send, as urllib3 and Go's client do. A
request is lost if its connection ends, or is reset, after it was sent. A refused connection has
lost nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

import support
from blackbox.server import PATIENCE, THREADS, Server, serving, until

CLIENTS = 200
NEW = 50
"""Clients beside them that open a connection for each request."""

PAUSE = 1.0
"""Seconds between two requests of a client: far less than the server drains, and long enough for
two busy cores to answer all clients meanwhile."""

DRAINING = THREADS | {"SCORING_DRAIN_MS": "4000", "SCORING_MAX_IN_FLIGHT": "60"}
BODY = json.dumps({"data": [support.ROW]}).encode()
REQUEST = (
    b"POST /score HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: "
    b"%d\r\n\r\n" % len(BODY) + BODY
)


@dataclass
class Clients:
    """Clients that send requests all the time. ``lost``: how unanswered requests ended."""

    port: int
    answered: int = 0
    last: int = 0
    refused: int = 0
    lost: list[str] = field(default_factory=list)
    stop: bool = False

    async def run(self) -> None:
        await asyncio.gather(*(self._client(number) for number in range(CLIENTS + NEW)))

    async def _client(self, number: int) -> None:
        await asyncio.sleep(PAUSE * number / CLIENTS)
        keeps = number < CLIENTS
        connection: socket.socket | None = None
        while not self.stop:
            if connection is None or _has_ended(connection):
                if connection:
                    connection.close()
                if (connection := await self._connected()) is None:
                    return
            if await self._asked(connection) or not keeps:
                connection.close()
                connection = None
            await asyncio.sleep(PAUSE)
        if connection:
            connection.close()

    async def _connected(self) -> socket.socket | None:
        connection = socket.socket()
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self.port))
        except ConnectionRefusedError:
            self.refused += 1
            connection.close()
            return None
        return connection

    async def _asked(self, connection: socket.socket) -> bool:
        """Send a request; return True if the answer is the connection's last."""
        loop, answer, size = asyncio.get_running_loop(), b"", -1
        try:
            await loop.sock_sendall(connection, REQUEST)
            while len(answer) != size:
                part = await asyncio.wait_for(loop.sock_recv(connection, 65_536), PATIENCE)
                if not part:
                    raise EOFError
                answer += part
                head, end, _ = answer.partition(b"\r\n\r\n")
                if end and (length := re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)):
                    size = len(head) + len(end) + int(length[1])
        except (EOFError, OSError) as error:
            self.lost.append(repr(error))
            return True
        self.answered += 1
        last = b"connection: close" in answer.lower()
        self.last += last
        return last


def _has_ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _connections(pid: int) -> int:
    """Workers do not share new connections evenly: one of them may have none."""
    return len(psutil.Process(pid).connections("tcp"))


async def under_load(server: Server, clients: Clients, *, whole: bool) -> None:
    """Send SIGTERM under load, to the worker with most connections if not to the whole server, and
    wait until it is gone and all clients have noticed."""
    running = asyncio.create_task(clients.run())
    async with asyncio.timeout(2 * PATIENCE):
        while clients.answered < 2 * CLIENTS:
            await asyncio.sleep(0.05)
        target = server.process.pid if whole else max(server.workers(), key=_connections)
        os.kill(target, signal.SIGTERM)
        while server.process.poll() is None if whole else target in server.workers():
            await asyncio.sleep(0.05)
        clients.stop = not whole
        await running


@pytest.mark.parametrize("whole", [True, False], ids=["server", "one worker"])
def test_sigterm_loses_no_request_of_200_clients_that_keep_their_connections(
    demo_model: Path, tmp_path: Path, whole: bool
):
    """Nor does it lose requests on new connections. The signal goes to the whole server, or to one
    of two workers."""
    with serving(demo_model, tmp_path, **DRAINING) as server:
        until(lambda: len(server.workers()) == 2, "both workers are there")
        clients = Clients(server.port)
        asyncio.run(under_load(server, clients, whole=whole))
        assert clients.lost == []
        assert clients.last > 0, "clients are told that the connection ends"
        assert clients.refused == (CLIENTS + NEW if whole else 0)


@pytest.mark.any_worker
def test_a_client_that_reads_nothing_does_not_keep_the_server_from_ending(
    demo_model: Path, tmp_path: Path
):
    """The worker ends by itself: gunicorn's master would kill it only after this test's timeout."""
    with (
        serving(demo_model, tmp_path, GUNICORN_CMD_ARGS="--graceful-timeout 600") as server,
        socket.socket() as deaf,
    ):
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        deaf.connect(("127.0.0.1", server.port))
        deaf.sendall(b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n" * 5_000)
        server.process.send_signal(signal.SIGTERM)
        until(lambda: server.process.poll() is not None, "the server ends")
