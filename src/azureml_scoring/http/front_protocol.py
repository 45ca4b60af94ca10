"""The protocol of our worker's connections: the express lane, with a backlog while the loop is
behind.

A whole request then waits in the backlog, which calls ``compute`` or ``refuse`` later. What arrives
on its connection meanwhile is kept and read after that, so that answers keep their order. Of
requests that were sent in one piece, each joins the backlog once the one before it is answered.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from azureml_scoring.body_budget import Held
from azureml_scoring.errors import Overloaded, ScoringError
from azureml_scoring.http.express_lane import CLOSE, ExpressLane
from azureml_scoring.http.waiting_request import WaitingRequest
from azureml_scoring.http.wanted import wanted_for_s
from azureml_scoring.request import MustWait

PIPELINED = (
    "The service has more work than it can do at once; send the next request after this answer."
)


class FrontProtocol(ExpressLane):
    """One connection. ``_waiting``: its requests that wait, of which the first is in the backlog;
    ``_later``: what arrived behind them; ``_held``: what all these take of the budget of bodies;
    ``_eof``: no more will."""

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
        self._held: Held
        self._later = b""
        self._eof = False

    def data_received(self, data: bytes) -> None:
        if not self._waiting:
            super().data_received(data)
        elif no_room := self._held.no_room(len(data)):
            self._cut_pipeline(no_room)
        else:
            self._later += data
            self.flow.pause_reading()

    def on_message_complete(self) -> None:
        environ = self._express
        if environ is not None and (self._backlog.behind or self._waiting):
            self._wait(environ)
        else:
            super().on_message_complete()

    def _wait(self, environ: dict[str, Any]) -> None:
        due = self._due or self._endpoint.due(self._began, wanted_for_s(environ))
        request = WaitingRequest(
            self, environ, self._fields, self._body, self._connection_line, due
        )
        self._express, self._unaccounted, self._body = None, 0, b""
        if not self._waiting:
            self._held = self._endpoint.hold(due)
        no_room = self._held.no_room(request.memory_bytes)
        if no_room and self._waiting:
            self._cut_pipeline(no_room)
            return
        request.refusal = self._refusal or no_room
        self._waiting.append(request)
        if len(self._waiting) == 1:
            self._join_backlog()

    def _join_backlog(self) -> None:
        request = self._waiting[0]
        if request.refusal:
            self._backlog.turn_away(request, request.refusal)
        elif self._backlog.join(request, len(request.body), request.due):
            return
        request.body = b""
        if len(self._waiting) == 1:
            self._held.release()

    def _cut_pipeline(self, error: Overloaded) -> None:
        """Refuse the request that waited longest and end the connection: there is no room for what
        was sent behind it."""
        first = self._waiting[0]
        self._forget_waiting()
        self._later = b""
        if not self._over:
            self._write_refusal(first.environ, error, CLOSE, first.since)

    def _forget_waiting(self) -> None:
        self._backlog.leave(self._waiting[0])
        self._waiting.clear()
        self._held.release()

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
        self._forget_waiting()
        self._body = request.body
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
        self._held.release()
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
        waiting, error = list(self._waiting), Overloaded(PIPELINED)
        self._forget_waiting()
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
            self._forget_waiting()
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
