"""Ends connections of our worker: idle ones, those whose client does not read, those that must make
room for another, and all when the server stops. No answer is lost.

Timeouts are checked once a second, for all connections.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from azureml_scoring.http.connections import LINGER_S, Connections


class CyclesTransport:
    """The transport of uvicorn's cycle of a request. It neither writes to a client that is gone nor
    cuts off one that may still be sending."""

    def __init__(self, connection: EndingConnection) -> None:
        # the connection holds the cycle: a reference back would keep both until a collection
        self._connection = weakref.proxy(connection)
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
    """A connection that ends itself.

    ``_since``: when it was opened, its last request began or its last answer was sent. ``_moved``:
    when the client last read something, or nothing was left to read. ``_ended``: when we sent our
    last answer.
    """

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
        """Bytes that arrived since the end of the last body or request: a head at most."""

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
        """True if no answer is due."""
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
        """True if the client leaves answers unread; closing such a connection would wait for
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
        """End the connection if it timed out; called once a second.

        A head that arrives byte by byte does not restart the time.
        """
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent < self._unsent:
            self._moved = now
        self._unsent = unsent
        if unsent:
            if now - self._moved > self.server_state.write_timeout_s:
                self.transport.abort()
        elif self._ended is not None:
            if now - self._ended > LINGER_S:
                self.transport.abort()
        elif self.idle and now - self._since > (
            LINGER_S if self.server_state.stopping else self.timeout_keep_alive
        ):
            self.transport.close()

    def drain(self) -> None:
        """Make the answer that is due the last one."""
        if not self.idle and not self.cycle.response_started:
            self.cycle.keep_alive = False
            self.cycle.default_headers = self.server_state.default_headers

    def shutdown(self) -> None:
        """End the connection if nothing is due; uvicorn calls this when the server stops.

        A client that has only just connected, or is sending its head, has a moment left.
        """
        self.drain()
        if (
            self.idle
            and self._ended is None
            and self._unaccounted == 0
            and self._since != self._opened
        ):
            self.transport.close()

    def end(self) -> None:
        """Send no more, and read on until the client is done. Closing while it still sends would
        reset the connection, and might lose the last answer."""
        self._ended = self.loop.time()
        self.transport.write_eof()
