"""Several workers share the connections."""

import socket
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from blackbox.server import PATIENCE, THREADS, Server, serving, until

CONNECTIONS = 20


def held_by(server: Server) -> list[int]:
    """Return how many connections each worker has."""
    held = []
    for worker in server.workers():
        found = psutil.Process(worker).connections(kind="tcp4")
        held.append(
            sum(
                each.status == psutil.CONN_ESTABLISHED and each.laddr.port == server.port
                for each in found
            )
        )
    return held


def taken_by_the_second(server: Server) -> int:
    """Count the second worker's connections among those opened one after the other and kept."""
    at_rest = sum(held_by(server))
    taken = list[int]()
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            before = held_by(server)
            connection = stack.enter_context(
                socket.create_connection(("127.0.0.1", server.port), PATIENCE)
            )
            connection.sendall(b"GET /liveness HTTP/1.1\r\nHost: h\r\n\r\n")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
            taken += [
                number for number, held in enumerate(held_by(server)) if held > before[number]
            ]
    assert len(taken) == CONNECTIONS
    until(lambda: sum(held_by(server)) == at_rest, "all of them are closed")
    return sum(taken)


@pytest.mark.any_worker
def test_connections_that_are_kept_are_shared_evenly(scripted_model: Path, tmp_path: Path):
    """No worker has all the load while another has none. The kernel chooses which worker wakes
    first and may favour one for a while, so one try of five must be even."""
    with serving(scripted_model, tmp_path, **THREADS) as server:
        until(lambda: server.log.count("ready for serving traffic") == 2, "both workers are ready")
        assert any(
            CONNECTIONS // 5 <= taken_by_the_second(server) <= CONNECTIONS * 4 // 5
            for _ in range(5)
        )
