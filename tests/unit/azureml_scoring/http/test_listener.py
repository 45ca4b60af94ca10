import errno
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from azureml_scoring.http import listener


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        found.setblocking(False)
        yield found


def test_what_has_been_accepted_is_there_and_nobody_else_comes(listening: socket.socket):
    """A client that comes too late waits, and is refused when the socket is closed: it has sent
    nothing yet."""
    with socket.create_connection(listening.getsockname()) as early, socket.socket() as late:
        early.sendall(b"x")
        listener.take_no_more(listening)
        late.setblocking(False)
        late.connect_ex(listening.getsockname())
        (accepted,) = listener.waiting(listening)
        assert list(listener.waiting(listening)) == []
        with accepted:
            assert accepted.recv(1) == b"x"
        listening.close()
        select.select([], [late], [], 60)
        assert late.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED


def test_a_socket_is_shared_while_the_master_has_it_open(listening: socket.socket):
    """A worker that stops alone leaves waiting connections to the others."""
    assert listener.is_shared(listening, os.getpid())
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as other:
        assert not listener.is_shared(listening, other.pid)
        other.communicate(b"\n")
    assert not listener.is_shared(listening, other.pid)
