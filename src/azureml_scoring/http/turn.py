"""The requests of one turn of the event loop, answered together: step by step, and all that is to
be said at once.

A turn answers all that came meanwhile. One by one they would cost more, for two reasons: the code
of all steps would be fetched anew for each, and each answer and each line of the log would wake a
sleeping reader, which on a virtual machine takes as long as half a request (docs/adr/0007).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple

from azureml_scoring.log import JsonLines, lines
from azureml_scoring.models.joint_predict import JointPredict
from azureml_scoring.request import Answer

MOST = 8
"""Requests that wait for one another."""

DEAR = 0.0003
"""Seconds of a request, beyond which no other one waits for it: that would cost more than waking a
client does."""

logger = logging.getLogger("uvicorn.error")


class Pending(NamedTuple):
    """A request on its way. ``started``: when it began to be read, by ``time.perf_counter``;
    ``first``: what the first of ``Service.steps`` gave, an answer if it was turned down; ``steps``:
    the others; ``written``: the answer as HTTP has it."""

    transport: asyncio.Transport
    started: float
    first: Answer | None
    steps: Iterator[Answer | None]
    written: Callable[[Answer], bytes]


class Turn:
    """Of one loop, whose thread calls it: ``add`` what there is; it ends by itself.

    ``at_once``: see ``Admission.at_once``. ``joint``: of the requests that are read and not yet
    predicted.
    """

    def __init__(
        self, at_once: Callable[[int], AbstractContextManager[object]], log: JsonLines = lines
    ) -> None:
        self._at_once = at_once
        self._log = log
        self._pending: list[Pending] = []
        self._most = MOST
        self.joint = JointPredict()

    def add(self, request: Pending, loop: asyncio.AbstractEventLoop) -> None:
        if not self._pending:
            loop.call_soon(self.end)
        self._pending.append(request)
        if len(self._pending) >= self._most:
            self.end()

    def end(self) -> None:
        """Answer them: also before its time, where something else is to be written on a
        connection."""
        pending, self._pending, self.joint = self._pending, [], JointPredict()
        if not pending:
            return
        self._log.hold_back()
        try:
            with self._at_once(len(pending)):
                predicted = [request.first or next(request.steps) for request in pending]
                for request, answer in zip(pending, predicted, strict=True):
                    written = request.written(answer or next(request.steps))  # type: ignore[arg-type] # it is one now
                    if not request.transport.is_closing():
                        request.transport.write(written)
                for request in pending:
                    next(request.steps, None)
        except Exception:
            logger.exception("A turn failed; its connections end.")
            for request in pending:
                request.transport.close()
        finally:
            self._log.let_go()
        each = (time.perf_counter() - pending[0].started) / len(pending)
        self._most = MOST if each < DEAR else 1
