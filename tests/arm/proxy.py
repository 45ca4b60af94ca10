"""Takes every name in the internet to one server here, so that programs ask it in Azure's place
with no change."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import StreamRequestHandler, ThreadingTCPServer


class _Proxy(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextmanager
def proxy(port: int) -> Iterator[str]:
    """-> its URL, for HTTPS_PROXY. ``port``: of the server on this machine that answers for all."""

    class Handler(StreamRequestHandler):
        rbufsize = 0  # what follows the head belongs to the tunnel

        def handle(self) -> None:
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            with socket.create_connection(("127.0.0.1", port)) as server:
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                there = threading.Thread(target=_copy, args=(self.connection, server), daemon=True)
                there.start()
                _copy(server, self.connection)
                there.join()

    with _Proxy(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_address[1]}"
        listening.shutdown()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Copy until one of them ends."""
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
