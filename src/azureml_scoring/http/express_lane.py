"""The express lane of our worker: a small request to a quick model is answered in the turn of the
event loop that read its last byte, without a task and without ASGI. So is one that is refused for
overload, whatever the model: refusals must cost little.

Every other request takes uvicorn's way to asgi.py. Which way a request takes shows only at the end
of its head, or of its body, so the parser's callbacks are kept until then:

    on_message_begin, on_url, on_header …  kept
    on_headers_complete                    express, or ``_replay_to_uvicorn``
    on_body …                              express: kept, or replayed once the body is too large
    on_message_complete                    express: ``_answer``, or replayed to a thread
    anything but the next byte             express: ``_settle`` replays, so that uvicorn's way waits
"""

from __future__ import annotations

import time
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.server import ServerState

from azureml_scoring.errors import Overloaded, ScoringError
from azureml_scoring.http import head, wsgi_bridge
from azureml_scoring.http.asgi import MAX_INLINE_BODY_BYTES, MUST_WAIT, Front
from azureml_scoring.http.connection import REFUSED, HttpConnection
from azureml_scoring.http.endpoint import SCORE_PATH
from azureml_scoring.http.head import MAX_LINE_BYTES
from azureml_scoring.http.plain_head import is_plain
from azureml_scoring.http.response import encode, header_lines
from azureml_scoring.http.turn import Pending
from azureml_scoring.http.wanted import DUE, wanted_for_s
from azureml_scoring.request import Answer, MustWait

SCORE_URL = SCORE_PATH.encode()
CLOSE, KEEP_ALIVE = "connection: close\r\n", "connection: keep-alive\r\n"
"""Header lines: CLOSE for the last answer of a connection; KEEP_ALIVE for others, which only
HTTP/1.0 needs."""


class ExpressLane(HttpConnection):
    """One connection. ``_express``: the environ of a request that the express lane may still
    answer; ``_due``: the deadline of one that is admitted or refused at its head; ``_refusal``: the
    answer, if it is refused."""

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
        self._due: float | None = None
        self._refusal: Overloaded | None = None
        self._body, self._body_bytes = b"", 0
        self._connection_line = ""
        self._default_headers: list[tuple[bytes, bytes]] = []
        self._default_lines = ""

    def on_message_begin(self) -> None:
        self.url = self._body = b""
        self._fields = []
        self._body_bytes = 0
        self._due = self._refusal = None
        self._begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        if (
            self.url == SCORE_URL
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
                if not self._endpoint.quick:
                    self._due = self._endpoint.due(self._began, wanted_for_s(environ))
                    self._refusal = self._endpoint.refusal(self._due)
                if self._due is None or self._refusal:
                    self._express = environ
                    return
        self._replay_to_uvicorn()

    def _takes(self, environ: dict[str, Any]) -> bool:
        """Return True for a plain head, after noting how the connection goes on."""
        kept = self.parser.should_keep_alive()
        version = "1.1"  # the only one that keeps alive without a header
        if not kept or "HTTP_CONNECTION" in environ:
            version = self.parser.get_http_version()
        self._connection_line = CLOSE if not kept else KEEP_ALIVE if version == "1.0" else ""
        return is_plain(environ, self._fields, version)

    def on_body(self, body: bytes) -> None:
        if self._express is None:
            super().on_body(body)
            return
        self._unaccounted = 0
        self._body_bytes += len(body)
        if self._refusal is None:  # else nobody reads it
            self._body += body
        if self._body_bytes > MAX_INLINE_BODY_BYTES:
            self._replay_to_uvicorn()

    def on_message_complete(self) -> None:
        environ, self._express = self._express, None
        if environ is not None:
            self._unaccounted = 0
            if self._refusal:
                self._write_refusal(
                    environ, self._refusal, self._connection_line, time.perf_counter()
                )
                self._turn.count_refusal()
                return
            try:
                self._answer(environ, self._body, self._connection_line)
            except MustWait:
                self._replay_to_a_thread()
        else:
            super().on_message_complete()

    def _answer(
        self, environ: dict[str, Any], body: bytes, connection_line: str, waited_s: float = 0.0
    ) -> None:
        """Let this turn of the loop answer the request. Raises MustWait.

        ``waited_s``: how long it has waited since it arrived.
        """
        endpoint, started = self._endpoint, time.perf_counter()
        scoring = endpoint.begin(environ, body, self._turn.joint, waited_s)
        arrived, lines = started - waited_s, self._begin_answer(connection_line)

        def write(answer: Answer) -> bytes:
            headers = endpoint.headers(scoring.request, answer, arrived)
            return encode(answer.status, headers, answer.body, lines)

        self._turn.add(Pending(self.transport, started, scoring, write), self.loop)
        if lines.endswith(CLOSE):
            self._turn.end()
            self._close()

    def _write_refusal(
        self, environ: dict[str, Any], error: ScoringError, connection_line: str, arrived: float
    ) -> None:
        """Answer the request with this error at once."""
        self._turn.end()
        self._turn.begin(self.loop)
        response = self._endpoint.refuse(environ, error, arrived)
        lines = self._begin_answer(connection_line)
        self.transport.write(encode(*response, lines))
        if lines.endswith(CLOSE):
            self._close()

    def _begin_answer(self, connection_line: str) -> str:
        """Return the server's header lines of an answer."""
        self.server_state.total_requests += 1
        return self._server_lines() + (CLOSE if self.server_state.draining else connection_line)

    def _close(self) -> None:
        """End the connection after its last answer."""
        self.end() if self.server_state.draining else self.transport.close()

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
        express, self._express = self._express, None
        super().on_message_begin()
        self.url, self._began = url, began
        for name, value in self._fields:
            super().on_header(name, value)
        super().on_headers_complete()
        if self._refusal and express:
            self.scope["state"][REFUSED] = self._refusal
        elif self._due is not None:
            self.scope["state"][DUE] = self._due
        if body:
            super().on_body(body)

    def _replay_to_a_thread(self) -> None:
        self._replay_to_uvicorn()
        self.scope["state"][MUST_WAIT] = True
        super().on_message_complete()

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
