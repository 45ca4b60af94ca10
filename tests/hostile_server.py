"""A server on a real socket that answers each request with whatever bytes it is given."""

from __future__ import annotations

import socket
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

Pieces = Iterable[bytes]


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A whole HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def bomb(mib: int) -> bytes:
    """A gzip that unpacks to so many MiB of opening brackets; a thousandth of that in size."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b"[" * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + block * mib


@contextmanager
def hostile(reply: Callable[[int], Pieces]) -> Iterator[str]:
    """-> its URL. ``reply`` gives the pieces to send, of the first request, of the second and so
    on, from 0."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_serve, args=(listening, reply), daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/score"
        listening.shutdown(socket.SHUT_RDWR)


def _serve(listening: socket.socket, reply: Callable[[int], Pieces]) -> None:
    number = 0
    with suppress(OSError):  # closed
        while True:
            connection, _ = listening.accept()
            with connection, suppress(OSError):  # the client has left
                _read(connection)
                for piece in reply(number):
                    connection.sendall(piece)
                number += 1
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass


def _read(connection: socket.socket) -> None:
    file = connection.makefile("rb")
    length = 0
    while (line := file.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    file.read(length)
