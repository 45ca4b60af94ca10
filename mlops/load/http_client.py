"""An HTTP/1.1 client for one address, with a small cost for each request.

On the machine of docs/benchmarks.md a request takes a tenth of a millisecond of processor time, and
with aiohttp four times that, which the server would lack on the same machine.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import httptools

IDLE_S = 1
"""A connection that is idle for longer is closed, before the server closes it under a request."""


class LoadAnswer(NamedTuple):
    """An answer. ``headers``: names in lower case."""

    status: int
    headers: dict[str, str]


class ClientConnection(asyncio.Protocol):
    """A connection with one request at a time."""

    def __init__(self) -> None:
        self.is_open = False
        self.idle_since_s = 0.0
        self._answer: asyncio.Future[LoadAnswer] | None = None

    async def send(self, request: bytes) -> LoadAnswer:
        """Send ``request`` and wait for its answer. Raises ConnectionError."""
        self._answer = asyncio.get_running_loop().create_future()
        self._headers: dict[str, str] = {}
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        self.is_open = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        if self._answer is None:  # nothing was asked
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(ConnectionError(f"not an answer by HTTP: {error}"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_message_complete(self) -> None:
        self.is_open = self.is_open and self._parser.should_keep_alive()
        answer, self._answer = self._answer, None
        if answer and not answer.done():
            answer.set_result(LoadAnswer(self._parser.get_status_code(), self._headers))

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        self._fail(ConnectionError("closed before its answer"))

    def _fail(self, error: ConnectionError) -> None:
        answer, self._answer = self._answer, None
        if answer and not answer.done():
            answer.set_exception(error)
        self._transport.abort()


class HttpClient:
    """Sends bodies to ``url`` by POST, over connections that it keeps. Redirects are not followed,
    and TLS is checked."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        parts = urlsplit(url)
        is_tls = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port or (443 if is_tls else 80)
        self._tls = ssl.create_default_context() if is_tls else None
        path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        lines = [f"POST {path} HTTP/1.1", f"Host: {parts.netloc.rpartition('@')[2]}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._head = "\r\n".join([*lines, "Content-Length: "]).encode()
        self._idle: deque[ClientConnection] = deque()

    async def post(self, body: bytes, timeout_s: float) -> LoadAnswer:
        """Send ``body`` and return the answer. Raises OSError, TimeoutError among them."""
        async with asyncio.timeout(timeout_s):
            connection = self._kept() or await self._connect()
            try:
                answer = await connection.send(b"%s%d\r\n\r\n%s" % (self._head, len(body), body))
            except asyncio.CancelledError:
                connection.close()
                raise
        if connection.is_open:
            connection.idle_since_s = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _kept(self) -> ClientConnection | None:
        """Return the connection that was used last, unless it has been idle for too long."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                if asyncio.get_running_loop().time() - connection.idle_since_s < IDLE_S:
                    return connection
                connection.close()
        return None

    async def _connect(self) -> ClientConnection:
        _, connection = await asyncio.get_running_loop().create_connection(
            ClientConnection, self._host, self._port, ssl=self._tls
        )
        return connection
