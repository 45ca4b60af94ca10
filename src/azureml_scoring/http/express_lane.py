"""The express lane of our worker: a small request to a quick model is answered in the turn of the
event loop that read its last byte, without a task and without ASGI.

Every other request takes uvicorn's way to asgi.py. Which way a request takes shows only at the end
of its head, or of its body, so the parser's callbacks are kept until then:

    on_message_begin, on_url, on_header …  kept
    on_headers_complete                    express, or ``_replay_to_uvicorn``
    on_body …                              express: kept, or replayed once the body is too large
    on_message_complete                    express: ``_answer``, or replayed if it must wait
    anything but the next byte             express: ``_settle`` replays, so that uvicorn's way waits
"""

from __future__ import annotations

import time
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.server import ServerState

from azureml_scoring.http import head, wsgi_bridge
from azureml_scoring.http.asgi import MAX_INLINE_BODY_BYTES, MUST_WAIT, Front
from azureml_scoring.http.connection import HttpConnection
from azureml_scoring.http.endpoint import SCORE_PATH, is_unusual
from azureml_scoring.http.head import MAX_HEADERS, MAX_LENGTH_DIGITS, MAX_LINE_BYTES, VERSIONS
from azureml_scoring.http.response import encode, header_lines
from azureml_scoring.http.turn import Pending
from azureml_scoring.request import Answer, MustWait

SCORE_URL = SCORE_PATH.encode()
NOT_EXPRESS = frozenset(
    ("HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_ENCODING", "HTTP_EXPECT", "HTTP_UPGRADE")
)
"""A request with one of these headers takes uvicorn's way."""

CLOSE, KEEP_ALIVE = "connection: close\r\n", "connection: keep-alive\r\n"
"""Header lines: CLOSE for the last answer of a connection; KEEP_ALIVE for others, which only
HTTP/1.0 needs."""


class FrontProtocol(HttpConnection):
    """One connection. ``_express``: the environ of a request that the express lane may still
    answer."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: Any | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        front = cast(Front, self.app)
        self._endpoint = front.endpoint
        self._turn = front.turn
        self._fields: list[tuple[bytes, bytes]] = []
        self._express: dict[str, Any] | None = None
        self._body = b""
        self._connection_line = ""
        self._default_headers: list[tuple[bytes, bytes]] = []
        self._default_lines = ""

    def on_message_begin(self) -> None:
        self.url = self._body = b""
        self._fields = []
        self._begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        if (
            self.url == SCORE_URL
            and self._endpoint.quick
            and not self.access_log  # which uvicorn's way writes
            and self.idle
            and not self.flow.write_paused
            and not self._over
            and self.parser.get_method() == b"POST"
            and (
                self._unaccounted + self._first_piece <= MAX_LINE_BYTES
                or head.fits(SCORE_URL, self._fields)
            )
        ):
            environ = wsgi_bridge.environ("POST", SCORE_PATH, self._fields)
            if self._takes(environ):
                self._express = environ
                return
        self._replay_to_uvicorn()

    def _takes(self, environ: dict[str, Any]) -> bool:
        """Return True for a plain head. uvicorn's way looks at the others more closely."""
        kept = self.parser.should_keep_alive()
        version = "1.1"  # the only one that keeps alive without a header
        if not kept or "HTTP_CONNECTION" in environ:
            version = self.parser.get_http_version()
        self._connection_line = CLOSE if not kept else KEEP_ALIVE if version == "1.0" else ""
        return (
            NOT_EXPRESS.isdisjoint(environ)
            and "," not in environ.get("HTTP_HOST", ",")
            and len(environ.get("CONTENT_LENGTH", "")) <= MAX_LENGTH_DIGITS
            and len(self._fields) <= MAX_HEADERS
            and version in VERSIONS
            and not is_unusual(environ)
        )

    def on_body(self, body: bytes) -> None:
        if self._express is None:
            super().on_body(body)
            return
        self._unaccounted = 0
        self._body += body
        if len(self._body) > MAX_INLINE_BODY_BYTES:
            self._replay_to_uvicorn()

    def on_message_complete(self) -> None:
        if self._express is not None:
            try:
                self._answer(self._express)
                return
            except MustWait:
                pass
            self._replay_to_uvicorn()
            self.scope["state"][MUST_WAIT] = True
        super().on_message_complete()

    def _answer(self, environ: dict[str, Any]) -> None:
        """Let this turn of the loop answer the request. Raises MustWait."""
        endpoint, started = self._endpoint, time.perf_counter()
        scoring = endpoint.begin(environ, self._body, self._turn.joint)
        self._express, self._unaccounted = None, 0
        self.server_state.total_requests += 1
        draining = self.server_state.draining
        connection_line = CLOSE if draining else self._connection_line
        lines = self._server_lines() + connection_line

        def write(answer: Answer) -> bytes:
            headers = endpoint.headers(scoring.request, answer, started)
            return encode(answer.status, headers, answer.body, lines)

        self._turn.add(Pending(self.transport, started, scoring, write), self.loop)
        if connection_line is CLOSE:
            self._turn.end()
            self.end() if draining else self.transport.close()

    def _server_lines(self) -> str:
        """Return the server's own headers; they change once a second, for the date."""
        headers = self.server_state.default_headers
        if headers is not self._default_headers:
            self._default_headers, self._default_lines = headers, header_lines(headers)
        return self._default_lines

    def _replay_to_uvicorn(self) -> None:
        """Make the callbacks that were kept: from here on the request takes uvicorn's way."""
        self._turn.end()
        url, body, began = self.url, self._body, self._began
        self._express = None
        super().on_message_begin()
        self.url, self._began = url, began
        for name, value in self._fields:
            super().on_header(name, value)
        super().on_headers_complete()
        if body:
            super().on_body(body)

    def _settle(self) -> None:
        """Send the answers of this turn and replay a request that has not arrived whole.

        Called before anything but the next byte happens to the connection.
        """
        self._turn.end()
        if self._express is not None and not self._over:
            self._replay_to_uvicorn()

    def _refuse(self, error: BaseException) -> None:
        self._settle()
        super()._refuse(error)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        self._settle()
        return super().eof_received()

    def look(self, now: float) -> None:
        """Hand a request whose body is slow to arrive to asgi.py, which waits for it."""
        self._settle()
        super().look(now)

    def shutdown(self) -> None:
        self._settle()
        super().shutdown()

    def standing(self) -> tuple[bool, float] | None:
        if self._express is not None and not self._over:
            return True, self._since
        return super().standing()

    def evict(self) -> None:
        self._settle()
        super().evict()
