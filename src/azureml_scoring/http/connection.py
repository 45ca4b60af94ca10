"""uvicorn's HTTP/1.1 protocol for one connection, made strict and bounded.

Heads are bounded, a client that has sent everything still reads its answer, and a malformed request
does not disturb the answers before it. connection_ends.py decides when a connection ends.
"""

from __future__ import annotations

import asyncio
import functools
from typing import Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.server import ServerState

from azureml_scoring.errors import ClientError, HeadTooLarge, MalformedHead
from azureml_scoring.http import head
from azureml_scoring.http.connection_ends import CyclesTransport, EndingConnection
from azureml_scoring.http.head import MAX_HEAD_BYTES
from azureml_scoring.http.response import encode, header_lines, refusal
from azureml_scoring.http.wanted import BEGAN, GONE, INTERIM, is_reset

CUT_OFF = "scoring.cut_off"
"""Key in the ``state`` of a request's scope: its body broke off, though it seems to end."""

REFUSED = "scoring.refused"
"""Key in the ``state`` of a request's scope: the ClientError that refuses its head."""

MALFORMED = "The request is not HTTP/1.1 as RFC 9112 has it; send it by an HTTP client."

PARSER_STOPS = (httptools.HttpParserError, httptools.HttpParserUpgrade)
"""Exceptions by which the parser stops."""


class Closing(Exception):
    """Raised by our callbacks to stop the parser: the last answer has been sent."""


class HttpConnection(EndingConnection):
    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: Any | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._piece = self._first_piece = 0
        """Bytes in the last piece that arrived, and in the one in which the request begins."""
        self._began = self._since
        """When the first byte of the request came, by the monotonic clock, as ``loop.time``."""

    def data_received(self, data: bytes) -> None:
        if self._ended is not None:
            return
        self._piece = len(data)
        self._unaccounted += self._piece
        try:
            self.parser.feed_data(data)
        except PARSER_STOPS as error:
            self._go_on(error, data)
        else:
            if self._unaccounted > MAX_HEAD_BYTES:
                self._refuse(HeadTooLarge(head.TOO_LARGE))

    def on_message_begin(self) -> None:
        if self._over:
            raise Closing
        self._begin()
        super().on_message_begin()

    def _begin(self) -> None:
        """Note that a request begins in the piece that has arrived."""
        self._began = self._since = self.loop.time()
        self._first_piece = self._piece

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        version = self.parser.get_http_version()
        error = head.error(version, self.url, self.headers)
        if isinstance(error, HeadTooLarge):
            self._cut_down()
        super().on_headers_complete()
        cycle = self.cycle
        cycle.transport = cast(asyncio.Transport, CyclesTransport(self))
        cycle.scope["state"] |= {BEGAN: self._began, GONE: functools.partial(_gone, self.transport)}
        if error:
            cycle.scope["state"][REFUSED] = error
            cycle.keep_alive = False
        elif self.server_state.draining:
            cycle.keep_alive = False
        elif version == "1.0" and self.parser.should_keep_alive():
            cycle.keep_alive = True
            cycle.default_headers = [*cycle.default_headers, (b"connection", b"keep-alive")]

    def on_body(self, body: bytes) -> None:
        self._unaccounted = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unaccounted = 0
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        if not self.parser.should_keep_alive():  # a trailer may have changed it
            self.drain()
            if self.idle and not self._over:
                self.end()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """Keep the connection for a client that sends no more but still reads its answer."""
        if self.idle:
            return None
        self._ask_if_gone()
        self._cut_off()
        return True

    def _ask_if_gone(self) -> None:
        """Have a client that has closed the connection reset it (see wanted.py), if its request is
        whole and nothing is sent to it yet."""
        cycle = self.cycle
        broken_off = cycle.more_body or CUT_OFF in cycle.scope["state"]
        if not (broken_off or cycle.response_started or self.pipeline) and (
            cycle.scope["http_version"] != "1.0"
        ):
            cycle.transport.write(INTERIM)

    def _refuse(self, error: BaseException) -> None:
        """End the connection, as what arrives can't be read; answers that are due are sent
        first."""
        if isinstance(error, Closing) or self._over:
            return
        self.logger.warning("Invalid HTTP request received (%s).", type(error).__name__)
        if not self.idle:
            self._cut_off()
            return
        answer = error if isinstance(error, ClientError) else MalformedHead(MALFORMED)
        lines = header_lines([*self.server_state.default_headers, (b"connection", b"close")])
        self.transport.write(encode(*refusal(answer), lines))
        self.end()

    def _cut_down(self) -> None:
        """Cut a head that is too large down to a size that is safe to handle."""
        self.url = self.url[: head.MAX_LINE_BYTES]
        self.headers[:] = [field for field in self.headers if head.fits(b"", [field])][
            : head.MAX_HEADERS
        ]

    def _cut_off(self) -> None:
        """End the body of the last request here, whole or not."""
        cycle = self.cycle
        cycle.keep_alive = False
        if cycle.more_body:
            cycle.scope["state"][CUT_OFF] = True
            super().on_message_complete()

    def _go_on(self, error: Exception | None, data: bytes) -> None:
        """Read on past each offer to switch to another protocol; refuse anything else at which the
        parser stops.

        Clients that offer HTTP/2, such as Java's, go on in HTTP/1.1. The parser takes what follows
        for the other protocol, so a new parser reads the request again without the offer.
        """
        rest = memoryview(data)
        while (
            isinstance(error, httptools.HttpParserUpgrade)
            and self.parser.get_method() != b"CONNECT"
        ):
            rest = rest[error.args[0] :]
            again = self._head_without_offer()
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            error = self._stopped_at(again) or self._stopped_at(rest)
        if error:
            self._refuse(error.__context__ or error)

    def _stopped_at(self, data: bytes | memoryview) -> Exception | None:
        try:
            self.parser.feed_data(data)
        except PARSER_STOPS as error:
            return error
        return None

    def _head_without_offer(self) -> bytes:
        kept = [(name, value) for name, value in self.headers if name != b"upgrade"]
        line = b"%b %b HTTP/%b" % (
            self.parser.get_method(),
            self.url,
            self.parser.get_http_version().encode(),
        )
        return b"\r\n".join([line, *(name + b": " + value for name, value in kept), b"", b""])


def _gone(transport: asyncio.Transport) -> bool:
    """Return True once the client has closed the connection; any thread may call this."""
    return transport.is_closing() or is_reset(transport.get_extra_info("socket"))
