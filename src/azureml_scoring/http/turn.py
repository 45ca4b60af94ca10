"""The requests of one turn of the event loop, answered together, step by step.

A turn answers all requests that arrived meanwhile. One by one they would cost more, for two
reasons: the code of all steps would be fetched anew for each, and each answer and each log line
would wake a sleeping reader, which on a virtual machine takes as long as half a request
(docs/adr/0007).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple

from azureml_scoring.http.backlog import SLICE_S, Backlog
from azureml_scoring.log import JsonLines, lines
from azureml_scoring.models.joint_predict import JointPredict
from azureml_scoring.request import Answer
from azureml_scoring.scoring import Scoring

MAX_REQUESTS_PER_TURN = 8
"""At most so many requests wait for one another."""

MAX_SHARED_TURN_S = 0.0003
"""Requests slower than this are answered one by one: waiting would cost clients more than waking
them."""

logger = logging.getLogger("uvicorn.error")


class Pending(NamedTuple):
    """A request whose body is read. ``started``: when that began, by ``time.perf_counter``;
    ``write``: returns an answer as HTTP/1.1."""

    transport: asyncio.Transport
    started: float
    scoring: Scoring
    write: Callable[[Answer], bytes]


class Turn:
    """The turns of one event loop, whose thread calls it: ``add`` requests; a turn ends by itself.

    ``at_once``: see ``Admission.at_once``. ``backlog``: worked off once in each round of the loop,
    between two looks at its sockets. ``joint``: collects the rows that are read and not yet
    predicted.
    """

    def __init__(
        self,
        at_once: Callable[[int, float], AbstractContextManager[object]],
        backlog: Backlog,
        log: JsonLines = lines,
    ) -> None:
        self.backlog = backlog
        self._at_once = at_once
        self._log = log
        self._pending: list[Pending] = []
        self._max_requests = MAX_REQUESTS_PER_TURN
        self._round_began = 0.0
        self._round_requests = 0
        self.joint = JointPredict()

    def add(self, request: Pending, loop: asyncio.AbstractEventLoop) -> None:
        if not self._round_began:
            self._begin_round(request.started, loop)
        self._pending.append(request)
        if len(self._pending) >= self._max_requests:
            self.end()

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin a round, unless one is on. Its log lines are written together at its end."""
        if not self._round_began:
            self._begin_round(time.perf_counter(), loop)

    def count_refusal(self) -> None:
        """Let further requests wait once this round has lasted for a slice."""
        if time.perf_counter() - self._round_began > SLICE_S:
            self.backlog.behind = True

    def end(self) -> None:
        """Answer the requests now: a connection calls this before it writes anything else."""
        pending, self._pending, self.joint = self._pending, [], JointPredict()
        if not pending:
            return
        try:
            with self._at_once(len(pending), pending[0].started):
                for request in pending:
                    request.scoring.predict()
                for request in pending:
                    response = request.write(request.scoring.answer())
                    if not request.transport.is_closing():
                        request.transport.write(response)
                for request in pending:
                    request.scoring.report()
        except Exception:
            logger.exception("A turn failed; its connections end.")
            for request in pending:
                request.transport.close()
        now = time.perf_counter()
        seconds = (now - pending[0].started) / len(pending)
        self._max_requests = MAX_REQUESTS_PER_TURN if seconds < MAX_SHARED_TURN_S else 1
        self._round_requests += len(pending)
        if now - self._round_began > SLICE_S:
            self._fall_behind(now)

    @contextlib.contextmanager
    def inline(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Count what the block computes on the event loop, beside the turns."""
        self.begin(loop)
        try:
            yield
        finally:
            self._round_requests += 1
            if (now := time.perf_counter()) - self._round_began > SLICE_S:
                self._fall_behind(now)

    def _begin_round(self, now: float, loop: asyncio.AbstractEventLoop) -> None:
        self._round_began, self._round_requests = now, 0
        self._log.hold_back()
        loop.call_soon(self._end_round, loop)

    def _fall_behind(self, now: float) -> None:
        """Let further requests wait: those of this round have taken longer than a slice."""
        if not self.backlog.behind:
            self.backlog.fall_behind((now - self._round_began) / self._round_requests)

    def _end_round(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self.end()
            if self.backlog.behind:
                self.backlog.refuse_slice()
                self.backlog.compute_slice(self.end)
        finally:  # or what waits would wait for ever
            self._log.let_go()
            self._round_began = 0.0
            if self.backlog.behind:
                self._begin_round(time.perf_counter(), loop)
