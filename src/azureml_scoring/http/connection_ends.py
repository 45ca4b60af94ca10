"""When a connection of our worker ends: idle, unread, for another one, or with the server. No
answer is lost by it.

Timeouts are looked after once a second, for all connections.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from azureml_scoring.http.connections import LINGER, Connections


class CyclesTransport:
    """What uvicorn's cycle of a request has for its transport: a client that is gone is written to
    no more, and a connection whose client may still be speaking is not cut."""

    def __init__(self, connection: EndingConnection) -> None:
        self._connection = weakref.proxy(
            connection
        )  # it has the cycle, and would be kept until it is collected
        self.is_closing = connection.transport.is_closing

    def write(self, data: bytes) -> None:
        if not self.is_closing():
            self._connection.transport.write(data)

    def close(self) -> None:
        connection = self._connection
        if connection.cycle.more_body or connection.server_state.draining:
            connection.end()
        else:
            connection.transport.close()


class EndingConnection(HttpToolsProtocol):
    """``_since``: when it was opened, its last request began or its last answer was given;
    ``_ended``: when we said our last word."""

    server_state: Connections

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: Any | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._opened = self._since = self._moved = self.loop.time()
        self._unsent = 0
        self._ended: float | None = None
        self._unaccounted = 0
        """Bytes that have come since the last that belonged to a body, or ended a request: a head,
        at most."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.server_state.make_room(self)

    def on_response_complete(self) -> None:
        if self._ended is not None:
            self.pipeline.clear()
        super().on_response_complete()
        self._unset_keepalive_if_required()  # look() does it
        self._since = self.loop.time()

    @property
    def idle(self) -> bool:
        """Whether no answer is due."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def _over(self) -> bool:
        return self._ended is not None or self.transport.is_closing()

    def standing(self) -> tuple[bool, float] | None:
        """See ``connections.Connection``."""
        if self._unread:
            return True, self._since
        if self.transport.is_closing():
            return None
        if self.idle or self.cycle.more_body:
            return not self.idle, self._since
        return None

    @property
    def _unread(self) -> bool:
        """Whether the client leaves answers unread; to close such a connection would wait for
        it."""
        return bool(self.transport.get_write_buffer_size()) or self.flow.write_paused

    def evict(self) -> None:
        if self.idle and not self._unread:
            self.transport.close()
        else:
            self.transport.abort()

    def resume_writing(self) -> None:
        self._moved = self.loop.time()
        super().resume_writing()

    def look(self, now: float) -> None:
        """Called once a second. A head that drips makes a connection no younger."""
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent < self._unsent:
            self._moved = now
        self._unsent = unsent
        if unsent:
            if now - self._moved > self.server_state.write_timeout:
                self.transport.abort()
        elif self._ended is not None:
            if now - self._ended > LINGER:
                self.transport.abort()
        elif self.idle and now - self._since > (
            LINGER if self.server_state.stopping else self.timeout_keep_alive
        ):
            self.transport.close()

    def drain(self) -> None:
        """The answer that is due is the last one."""
        if not self.idle and not self.cycle.response_started:
            self.cycle.keep_alive = False
            self.cycle.default_headers = self.server_state.default_headers

    def shutdown(self) -> None:
        """uvicorn calls it when the server stops. A client that has only just connected, or is in
        the midst of its head, has a moment to ask."""
        self.drain()
        if (
            self.idle
            and self._ended is None
            and self._unaccounted == 0
            and self._since != self._opened
        ):
            self.transport.close()

    def end(self) -> None:
        """Say no more, and hear the client out. To close on what it still sends would reset the
        connection, and the last answer might be lost with it."""
        self._ended = self.loop.time()
        self.transport.write_eof()
