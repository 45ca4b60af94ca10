"""A small TLS proxy in front of a Redis without TLS, which can also misbehave in the ways that
networks do."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trustme

Answer = Callable[[bytes, socket.socket], None]
"""Sends what Redis answered to the client, in its own way."""

CHUNK = 65_536


def faithful(data: bytes, client: socket.socket) -> None:
    client.sendall(data)


def slow(seconds: float) -> Answer:
    def answer(data: bytes, client: socket.socket) -> None:
        time.sleep(seconds)
        client.sendall(data)

    return answer


def cut(data: bytes, client: socket.socket) -> None:
    """Send half of the answer, then reset the connection."""
    client.sendall(data[: len(data) // 2])
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ConnectionResetError


def garbage(data: bytes, client: socket.socket) -> None:
    client.sendall(os.urandom(len(data)) + b"\r\n")


def moved(data: bytes, client: socket.socket) -> None:
    """Answer as a cluster's node that does not have the key's slot; signing in and storing
    succeed."""
    client.sendall(data if data == b"+OK\r\n" else b"-MOVED 3999 127.0.0.1:6381\r\n")


class TlsProxy:
    """A proxy on ``port`` of ``localhost``; ``answer`` may be changed while it runs."""

    def __init__(self, upstream: int, authority: trustme.CA) -> None:
        self.upstream = upstream
        self.answer: Answer = faithful
        self._authority = authority
        self._clients: set[ssl.SSLSocket] = set()
        self.present("localhost")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._serve()

    def present(self, host: str, authority: trustme.CA | None = None) -> None:
        """Show a certificate for this host name from now on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (authority or self._authority).issue_cert(host).configure_cert(context)
        self._context = context

    def hang_up(self) -> None:
        """Close all connections."""
        for client in list(self._clients):
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def vanish(self) -> None:
        """Fall silent on all open connections; new ones are served."""
        self._clients.clear()

    def close(self) -> None:
        """Close the port and all connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._serve()

    def _serve(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self._connect, args=(connection,), daemon=True).start()

    def _connect(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as Redis does
        with (
            contextlib.suppress(OSError),
            self._context.wrap_socket(connection, server_side=True) as client,
            socket.create_connection(("127.0.0.1", self.upstream)) as redis,
        ):
            redis.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._clients.add(client)
            requests = threading.Thread(target=self._requests, args=(client, redis), daemon=True)
            requests.start()
            try:
                self._answers(client, redis)
            finally:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
                # Or OpenSSL would go on reading a file descriptor that is somebody else's by then.
                requests.join()

    def _requests(self, client: ssl.SSLSocket, redis: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(CHUNK):
                if client in self._clients:
                    redis.sendall(data)
        with contextlib.suppress(OSError):
            redis.shutdown(socket.SHUT_RDWR)

    def _answers(self, client: ssl.SSLSocket, redis: socket.socket) -> None:
        try:
            while data := redis.recv(CHUNK):
                if client in self._clients:
                    self.answer(data, client)
        finally:
            self._clients.discard(client)


@contextmanager
def tls_proxy(upstream: int, authority: trustme.CA) -> Iterator[TlsProxy]:
    proxy = TlsProxy(upstream, authority)
    try:
        yield proxy
    finally:
        proxy.close()
