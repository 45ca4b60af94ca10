"""A small HTTPS server that remembers each request and can be told to misbehave."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import trustme


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """``body``: bytes as they are, anything else as JSON; None for nothing."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


DROP = Reply(0)
"""The connection is reset in place of an answer."""


@dataclass
class Fault:
    times: int
    reply: Reply
    method: str
    path: str
    after: int

    def hits(self, request: Request) -> bool:
        if not (self.times > 0 and request.method == self.method and self.path in request.path):
            return False
        self.after -= 1
        return self.after < 0


class HttpsServer:
    """Answers by ``application``, one request at a time, on ``https://localhost:<port>``, and for
    other ``names``."""

    def __init__(
        self, application: Callable[[Request], Reply], authority: trustme.CA, *names: str
    ) -> None:
        self.requests: list[Request] = []
        self.application = application
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self.connections: set[socket.socket] = set()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", "*.blob.localhost", *names).configure_cert(context)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, context))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"https://localhost:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def fail(self, times: int, reply: Reply, method: str, path: str, after: int = 0) -> None:
        """The next ``times`` requests with this method and this in their path get ``reply``,
        ``after`` others."""
        self._faults.append(Fault(times, reply, method, path, after))

    def sent(self, method: str, path: str = "") -> list[Request]:
        """The requests with this method whose path ends so."""
        return [
            request
            for request in self.requests
            if request.method == method and request.path.endswith(path)
        ]

    def answer(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
            for fault in self._faults:
                if fault.hits(request):
                    fault.times -= 1
                    return fault.reply
            return self.application(request)

    def close(self) -> None:
        """Close the port and all connections."""
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _handler(server: HttpsServer, context: ssl.SSLContext) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def setup(self) -> None:
            self.request = context.wrap_socket(self.request, server_side=True)
            server.connections.add(self.request)
            super().setup()

        def handle(self) -> None:
            try:
                super().handle()
            except (ConnectionError, ssl.SSLError):
                self.close_connection = True

        def finish(self) -> None:
            try:
                super().finish()
            finally:
                server.connections.discard(self.request)
                self.request.close()

        def answer(self) -> None:
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = server.answer(
                Request(self.command, url.path, dict(parse_qsl(url.query)), headers, body)
            )
            if reply is DROP:
                self.connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
                raise ConnectionResetError
            content = b"" if reply.body is None else reply.body
            if not isinstance(content, bytes):
                content = json.dumps(content).encode()
            self.send_response(reply.status)
            kind = {"Content-Type": "application/json"} if content else {}
            for name, value in {**kind, **reply.headers}.items():
                self.send_header(name, value)
            if reply.status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextmanager
def serving(
    application: Callable[[Request], Reply], authority: trustme.CA, *names: str
) -> Iterator[HttpsServer]:
    server = HttpsServer(application, authority, *names)
    try:
        yield server
    finally:
        server.close()
