"""The express lane of our worker: a small request to a quick model is answered in the turn that
read its last byte.

No task, no ASGI. Every other request takes uvicorn's ordinary way to asgi.py. Which of them it is
shows only at the end of the head, or of the body, so what uvicorn would make of a request is put
off until then.
"""

from __future__ import annotations

import functools
import time
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.server import ServerState

from azureml_scoring.http import head, wsgi_bridge
from azureml_scoring.http.asgi import MUST_WAIT, SMALL, Front
from azureml_scoring.http.connection import HttpConnection
from azureml_scoring.http.head import LONGEST_LENGTH, LONGEST_LINE, MOST_HEADERS, VERSIONS
from azureml_scoring.http.lean_lane import SCORE, LeanLane, unusual
from azureml_scoring.http.turn import Pending
from azureml_scoring.request import MustWait

SCORE_URL = SCORE.encode()
ORDINARY = frozenset(
    ("HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_ENCODING", "HTTP_EXPECT", "HTTP_UPGRADE")
)
"""Headers that make a request none for the express lane."""

CLOSE, KEEP_ALIVE = "connection: close\r\n", "connection: keep-alive\r\n"
"""What an answer says: that it is the last one; that it is not, which HTTP/1.0 wants to be told."""


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
        self._lane = None if self.access_log else front.lane
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
        self._since = self.loop.time()
        self._first_piece = self._piece

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        lane = self._lane
        if (
            lane is not None
            and self.url == SCORE_URL
            and lane.service.quick
            and self.idle
            and not self.flow.write_paused
            and not self._over
            and self.parser.get_method() == b"POST"
            and (
                self._unaccounted + self._first_piece <= LONGEST_LINE
                or head.fits(SCORE_URL, self._fields)
            )
        ):
            environ = wsgi_bridge.environ("POST", SCORE, self._fields)
            if self._takes(environ):
                self._express = environ
                return
        self._ordinary()

    def _takes(self, environ: dict[str, Any]) -> bool:
        """Whether the head is one for the express lane. The others are looked at more closely on
        their way."""
        kept = self.parser.should_keep_alive()
        told = not kept or "HTTP_CONNECTION" in environ
        version = (
            self.parser.get_http_version() if told else "1.1"
        )  # which alone keeps alive unasked
        self._connection_line = CLOSE if not kept else KEEP_ALIVE if version == "1.0" else ""
        return (
            ORDINARY.isdisjoint(environ)
            and "," not in environ.get("HTTP_HOST", ",")
            and len(environ.get("CONTENT_LENGTH", "")) <= LONGEST_LENGTH
            and len(self._fields) <= MOST_HEADERS
            and version in VERSIONS
            and not unusual(environ)
        )

    def on_body(self, body: bytes) -> None:
        if self._express is None:
            super().on_body(body)
            return
        self._unaccounted = 0
        self._body += body
        if len(self._body) > SMALL:
            self._ordinary()

    def on_message_complete(self) -> None:
        if self._lane and self._express is not None:
            try:
                self._score(self._lane, self._express)
                return
            except MustWait:
                pass
            self._ordinary()
            self.scope["state"][MUST_WAIT] = True
        super().on_message_complete()

    def _score(self, lane: LeanLane, environ: dict[str, Any]) -> None:
        """Raises MustWait."""
        started, due = time.perf_counter(), lane.service.admission.due
        request = lane.reader.received(environ, self._body, due, at_once=True)
        steps = lane.service.steps(request, due, self._turn.joint)
        first = next(steps)
        self._express, self._unaccounted = None, 0
        self.server_state.total_requests += 1
        draining = self.server_state.draining
        connection_line = CLOSE if draining else self._connection_line
        written = functools.partial(lane.written, request, started, self._lines() + connection_line)
        self._turn.add(Pending(self.transport, started, first, steps, written), self.loop)
        if connection_line is CLOSE:
            self._turn.end()
            self.end() if draining else self.transport.close()

    def _lines(self) -> str:
        headers = self.server_state.default_headers
        if headers is not self._default_headers:  # once a second, for the date
            self._default_headers = headers
            self._default_lines = "".join(
                f"{name.decode()}: {value.decode()}\r\n" for name, value in headers
            )
        return self._default_lines

    def _ordinary(self) -> None:
        """uvicorn's way, with what has come of the request so far."""
        self._turn.end()
        url, body = self.url, self._body
        self._express = None
        super().on_message_begin()
        self.url = url
        for name, value in self._fields:
            super().on_header(name, value)
        super().on_headers_complete()
        if body:
            super().on_body(body)

    def _settle(self) -> None:
        """Before anything but the next byte happens to the connection."""
        self._turn.end()
        if self._express is not None and not self._over:
            self._ordinary()

    def _refuse(self, error: BaseException) -> None:
        self._settle()
        super()._refuse(error)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        self._settle()
        return super().eof_received()

    def look(self, now: float) -> None:
        """A body that is slow to come is asgi.py's to wait for."""
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
