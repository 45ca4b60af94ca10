"""HTTP/1.1 of our fast server: uvicorn's, with an express lane.

A small plain request to a quick model is answered right where its last byte is read: no task, no ASGI. Every other one
takes uvicorn's own way to front.py. Which of them it is shows only at the end of the head, or of the body, so what
uvicorn would make of a request is put off until then. Timeouts are looked after once a second, for all connections.
"""

from __future__ import annotations

import time
from typing import Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

import wsgi_bridge
from front import CUT_OFF, MUST_WAIT, SMALL, Front
from lean_lane import SCORE, LeanLane, unusual
from service import MustWait

LONGEST_HEAD = 65_536
"""Bytes of a request's line and headers. Neither uvicorn nor its parser has a limit."""

SCORE_URL = SCORE.encode()
ORDINARY = frozenset(("HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_ENCODING", "HTTP_EXPECT", "HTTP_UPGRADE"))
"""Headers that make a request none for the express lane."""


class HeadTooLarge(Exception):
    """More than LONGEST_HEAD."""


class Closing(Exception):
    """Nothing is read any more: the last answer has been given."""


class FrontProtocol(HttpToolsProtocol):
    """One connection. ``_express``: the environ of a request that the express lane may still answer."""

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], _loop: Any | None = None
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        front = cast(Front, self.app)
        self._lane = None if self.access_log else front.lane
        self._since = self.loop.time()
        self._unaccounted = 0
        self._fields: list[tuple[bytes, bytes]] = []
        self._express: dict[str, Any] | None = None
        self._body = b""
        self._default_headers: list[tuple[bytes, bytes]] = []
        self._default_lines = ""

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
        self.url = self._body = b""
        self._fields = []
        self._since = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        if self._unaccounted > LONGEST_HEAD and sum(len(n) + len(v) for n, v in self._fields) > LONGEST_HEAD:
            raise HeadTooLarge
        lane, parser = self._lane, self.parser
        if (
            lane is not None
            and self.url == SCORE_URL
            and lane.service.quick
            and self._idle
            and not self.flow.write_paused
            and parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
        ):
            environ = wsgi_bridge.environ("POST", SCORE, self._fields)
            if ORDINARY.isdisjoint(environ) and not unusual(environ):
                self._express = environ
                return
        if not parser.should_upgrade():
            self._ordinary()

    def on_body(self, body: bytes) -> None:
        self._unaccounted = 0
        if self._express is None:
            super().on_body(body)
            return
        self._body += body
        if len(self._body) > SMALL:
            self._ordinary()

    def on_message_complete(self) -> None:
        self._unaccounted = 0
        if self._lane and self._express is not None:
            try:
                self._answer(self._lane, self._express)
                return
            except MustWait:
                pass
            except Exception:
                self.logger.exception("The express lane failed; the request takes the ordinary way.")
            self._ordinary()
            self.scope["state"][MUST_WAIT] = True
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _answer(self, lane: LeanLane, environ: dict[str, Any]) -> None:
        """Raises MustWait."""
        started, keep_alive = time.perf_counter(), self.parser.should_keep_alive()
        with lane.service.admission.at_once as due:
            request = lane.reader.received(environ, self._body, due, at_once=True)
            answer = lane.written(request, started, self._lines(keep_alive))
        self._express = None
        self.server_state.total_requests += 1
        self.transport.write(answer)
        if not keep_alive:
            self.transport.close()

    def _lines(self, keep_alive: bool) -> str:
        headers = self.server_state.default_headers
        if headers is not self._default_headers:  # once a second, for the date
            self._default_headers = headers
            self._default_lines = "".join(f"{name.decode()}: {value.decode()}\r\n" for name, value in headers)
        return self._default_lines if keep_alive else f"{self._default_lines}connection: close\r\n"

    @property
    def _idle(self) -> bool:
        """No request is on uvicorn's way."""
        return self.cycle is None or self.cycle.response_complete

    def _ordinary(self) -> None:
        """uvicorn's way, with what has come of the request so far."""
        url, body = self.url, self._body
        self._express = None
        super().on_message_begin()
        self.url = url
        for name, value in self._fields:
            super().on_header(name, value)
        super().on_headers_complete()
        if body:
            super().on_body(body)

    def _go_on_without_upgrade(self, rest: bytes) -> None:
        """Clients that would rather speak HTTP/2, as Java's, go on in this one; the parser takes that for the other."""
        kept = [(name, value) for name, value in self._fields if name.lower() != b"upgrade"]
        if len(kept) == len(self._fields):  # CONNECT
            self._refuse(ValueError("CONNECT"))
            return
        line = b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        self.data_received(b"\r\n".join([line, *(name + b": " + value for name, value in kept), b"", rest]))

    def _refuse(self, error: BaseException) -> None:
        """What comes can't be read. Answers that are due are still given; then the connection ends."""
        if isinstance(error, Closing):
            return
        self.logger.warning("Invalid HTTP request received (%s).", type(error).__name__)
        if self._idle:
            self.send_400_response("Invalid HTTP request received.")
        else:
            self._cut_off()

    def _cut_off(self) -> None:
        """The body of the last request ends here, whole or not."""
        cycle = self.cycle
        cycle.keep_alive = False
        if cycle.more_body:
            cycle.scope["state"][CUT_OFF] = True
            super().on_message_complete()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """A client that will send no more may still read its answer."""
        if self._express is not None:
            self._ordinary()
        if self._idle:
            return None
        self._cut_off()
        return True

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._unset_keepalive_if_required()  # look() does it
        self._since = self.loop.time()

    def look(self, now: float) -> None:
        """Called once a second. A body that is slow to come is front.py's to wait for; an idle connection is closed.

        So is one on which a head takes as long, however steadily it drips.
        """
        if self._express is not None:
            self._ordinary()
        elif self._idle and now - self._since > self.timeout_keep_alive:
            self.transport.close()

    def shutdown(self) -> None:
        if self._express is not None:
            self._ordinary()
        super().shutdown()
