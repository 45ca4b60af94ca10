"""The protocol of our worker's connections: the express lane, with a backlog while the loop is
behind.

A whole request then waits in the backlog, which calls ``compute`` or ``refuse`` later. What arrives
on its connection meanwhile is kept and read after that, so that answers keep their order. Of
requests that were sent in one piece, each joins the backlog once the one before it is answered.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from azureml_scoring.errors import Overloaded, ScoringError
from azureml_scoring.http.express_lane import CLOSE, ExpressLane
from azureml_scoring.http.wanted import wanted_for_s
from azureml_scoring.request import MustWait

PIPELINED = (
    "The service has more work than it can do at once; send the next request after this answer."
)

logger = logging.getLogger("uvicorn.error")


class WaitingRequest:
    """A whole request, which waits to be answered. ``due``: its deadline, by the monotonic
    clock."""

    def __init__(
        self,
        connection: FrontProtocol,
        environ: dict[str, Any],
        fields: list[tuple[bytes, bytes]],
        body: bytes,
        connection_line: str,
        due: float,
    ) -> None:
        self.environ = environ
        self.fields = fields
        self.body = body
        self.connection_line = connection_line
        self.due = due
        self.since = time.perf_counter()
        self._connection = connection

    def compute(self) -> None:
        self._end_if_it_fails(lambda: self._connection.compute(self))

    def refuse(self, error: ScoringError) -> None:
        self._end_if_it_fails(lambda: self._connection.refuse(self, error))

    def _end_if_it_fails(self, step: Callable[[], None]) -> None:
        """End the connection if the step fails: others wait in the same round of the loop."""
        try:
            step()
        except Exception:
            logger.exception("A request that waited has failed; its connection ends.")
            self._connection.transport.close()


class FrontProtocol(ExpressLane):
    """One connection. ``_waiting``: its requests that wait, of which the first is in the backlog;
    ``_later``: what arrived behind them; ``_eof``: no more will."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: Any | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._backlog = self._turn.backlog
        self._waiting = deque[WaitingRequest]()
        self._later = b""
        self._eof = False

    def data_received(self, data: bytes) -> None:
        if self._waiting:
            self._later += data
            self.flow.pause_reading()
        else:
            super().data_received(data)

    def on_message_complete(self) -> None:
        environ = self._express if self._refusal is None else None
        if environ is not None and (self._backlog.behind or self._waiting):
            self._wait(environ)
        else:
            super().on_message_complete()

    def _wait(self, environ: dict[str, Any]) -> None:
        due = self._endpoint.due(self._began, wanted_for_s(environ))
        request = WaitingRequest(
            self, environ, self._fields, self._body, self._connection_line, due
        )
        self._waiting.append(request)
        self._express, self._unaccounted = None, 0
        if len(self._waiting) == 1:
            self._join_backlog()

    def _join_backlog(self) -> None:
        request = self._waiting[0]
        self._backlog.join(request, len(request.body), request.due)

    def compute(self, request: WaitingRequest) -> None:
        """Answer the request that waited longest, in this turn of the loop or on a thread."""
        waited_s = time.perf_counter() - request.since
        try:
            if not self._over:
                self._answer(request.environ, request.body, request.connection_line, waited_s)
        except MustWait:
            self._to_a_thread(request)
        self._go_on_reading()

    def refuse(self, request: WaitingRequest, error: ScoringError) -> None:
        """Answer the request that waited longest with this error."""
        if not self._over:
            self._write_refusal(request.environ, error, request.connection_line, request.since)
        self._go_on_reading()

    def _to_a_thread(self, request: WaitingRequest) -> None:
        """Hand on the request, if the parser has not begun the next one."""
        if request.fields is not self._fields:
            error = Overloaded(PIPELINED)
            self._write_refusal(request.environ, error, request.connection_line, request.since)
            return
        self._waiting.clear()
        self._replay_to_a_thread()
        if request.connection_line is CLOSE:  # the parser no longer knows
            self.drain()

    def _go_on_reading(self) -> None:
        """Let the next request join the backlog, or read what arrived meanwhile."""
        if self._waiting:
            self._waiting.popleft()
        if self._waiting:
            self._join_backlog()
            return
        later, self._later = self._later, b""
        if later:
            self.flow.resume_reading()
            self.data_received(later)
        if self._eof and not self._waiting and not self.eof_received():
            self.transport.close()

    def _refuse_waiting(self) -> None:
        """Refuse all that wait, as something else must be answered behind them at once."""
        if not self._waiting:
            return
        self._backlog.leave(self._waiting[0])
        waiting, error = list(self._waiting), Overloaded(PIPELINED)
        self._waiting.clear()
        for request in waiting:
            if not self._over:
                self._write_refusal(request.environ, error, request.connection_line, request.since)

    def _replay_to_uvicorn(self) -> None:
        if not self.parser.should_upgrade():  # then it is read again without the offer
            self._refuse_waiting()
        super()._replay_to_uvicorn()

    def _settle(self) -> None:
        self._refuse_waiting()
        super()._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting:
            self._backlog.leave(self._waiting[0])
            self._waiting.clear()
        super().connection_lost(exc)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        if self._waiting:
            self._eof = True
            return True
        return super().eof_received()

    def look(self, now: float) -> None:
        if not self._waiting:
            super().look(now)

    def shutdown(self) -> None:
        if not self._waiting:
            super().shutdown()

    def standing(self) -> tuple[bool, float] | None:
        return None if self._waiting else super().standing()
