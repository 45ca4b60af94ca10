"""HTTP/1.1 on one connection: uvicorn's, bounded and patient where clients of an event loop want it to be.

A head has a greatest size and time, an idle connection ends, a client that has said all still reads its answer, and
what is malformed does not disturb the answers before it. Timeouts are looked after once a second, for all connections.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

LONGEST_HEAD = 65_536
"""Bytes of a request's line and headers. Neither uvicorn nor its parser has a limit."""

MOST_CONNECTIONS = 1_000
"""Of a worker, as of gunicorn's: each may hold LONGEST_HEAD of memory, and one of the files that a process may open."""

CUT_OFF = "scoring.cut_off"
"""In the ``state`` of a request's scope: its body broke off where it seems to end."""


class HeadTooLarge(Exception):
    """More than LONGEST_HEAD."""


class Closing(Exception):
    """Nothing is read any more: the last answer has been given."""


class HttpConnection(HttpToolsProtocol):
    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], _loop: Any | None = None
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._since = self.loop.time()
        self._unaccounted = 0
        """Bytes that have come since the last that belonged to a body, or ended a request: a head, at most."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Where there are too many, the one that has been idle longest ends; the new one, if none is."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            others = (cast(HttpConnection, other) for other in self.connections if other is not self)
            min((other for other in others if other.idle), key=lambda other: other._since, default=self).shutdown()

    def data_received(self, data: bytes) -> None:
        self._unaccounted += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._go_on_without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._refuse(error.__context__ or error)
        else:
            if self._unaccounted > LONGEST_HEAD:
                self._refuse(HeadTooLarge())

    def on_message_begin(self) -> None:
        if self.transport.is_closing():
            raise Closing
        self._since = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self._unaccounted > LONGEST_HEAD and self._head_size() > LONGEST_HEAD:
            raise HeadTooLarge
        if not self.parser.should_upgrade():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unaccounted = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unaccounted = 0
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._unset_keepalive_if_required()  # look() does it
        self._since = self.loop.time()

    @property
    def idle(self) -> bool:
        """Whether no answer is due."""
        return self.cycle is None or self.cycle.response_complete

    def look(self, now: float) -> None:
        """Called once a second. A head that drips makes a connection no younger."""
        if self.idle and now - self._since > self.timeout_keep_alive:
            self.transport.close()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """A client that will send no more may still read its answer."""
        if self.idle:
            return None
        self._cut_off()
        return True

    def _refuse(self, error: BaseException) -> None:
        """What comes can't be read. Answers that are due are still given; then the connection ends."""
        if isinstance(error, Closing):
            return
        self.logger.warning("Invalid HTTP request received (%s).", type(error).__name__)
        if self.idle:
            self.send_400_response("Invalid HTTP request received.")
        else:
            self._cut_off()

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _cut_off(self) -> None:
        """The body of the last request ends here, whole or not."""
        cycle = self.cycle
        cycle.keep_alive = False
        if cycle.more_body:
            cycle.scope["state"][CUT_OFF] = True
            super().on_message_complete()

    def _go_on_without_upgrade(self, rest: bytes) -> None:
        """Clients that would rather speak HTTP/2, as Java's, go on in this one; the parser takes that for the other."""
        kept = [(name, value) for name, value in self.headers if name != b"upgrade"]
        if len(kept) == len(self.headers):
            self._refuse(ValueError("CONNECT"))
            return
        line = b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        self.data_received(b"\r\n".join([line, *(name + b": " + value for name, value in kept), b"", rest]))
