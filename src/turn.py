"""The requests of one turn of the event loop, answered together: step by step, and all that is to be said at once.

A turn answers all that came meanwhile. One by one they would cost more, for two reasons: the code of all steps would be
fetched anew for each, and each answer and each line of the log would wake a sleeping reader, which on a virtual machine
takes as long as half a request (docs/adr/0007).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple

from exchange import Answer
from joint_predict import JointPredict
from telemetry import JsonLines, lines

MOST = 8
"""Requests that wait for one another."""

DEAR = 0.0003
"""Seconds of a score, beyond which no other one waits for it: that would cost more than waking a client does."""

logger = logging.getLogger("uvicorn.error")


class Exchange(NamedTuple):
    """A request on its way. ``first``: what the first of ``Service.steps`` gave, an answer if it was turned down;
    ``steps``: the others; ``written``: the answer as HTTP has it."""

    transport: asyncio.Transport
    first: Answer | None
    steps: Iterator[Answer | None]
    written: Callable[[Answer], bytes]


class Turn:
    """Of one loop, whose thread calls it: ``add`` what there is; it ends by itself.

    ``at_once``: see ``Admission.at_once``. ``joint``: of the requests that are read and not yet predicted.
    """

    def __init__(self, at_once: Callable[[int], AbstractContextManager[object]], log: JsonLines = lines) -> None:
        self._at_once = at_once
        self._log = log
        self._exchanges: list[Exchange] = []
        self._most = MOST
        self.joint = JointPredict()

    def add(self, exchange: Exchange, loop: asyncio.AbstractEventLoop) -> None:
        if not self._exchanges:
            loop.call_soon(self.end)
        self._exchanges.append(exchange)
        if len(self._exchanges) >= self._most:
            self.end()

    def end(self) -> None:
        """Answer them: also before its time, where something else is to be written on a connection."""
        exchanges, self._exchanges, self.joint = self._exchanges, [], JointPredict()
        if not exchanges:
            return
        started = time.perf_counter()
        self._log.hold_back()
        try:
            with self._at_once(len(exchanges)):
                predicted = [exchange.first or next(exchange.steps) for exchange in exchanges]
                for exchange, answer in zip(exchanges, predicted, strict=True):
                    written = exchange.written(answer or next(exchange.steps))  # type: ignore[arg-type] # it is one now
                    if not exchange.transport.is_closing():
                        exchange.transport.write(written)
                for exchange in exchanges:
                    next(exchange.steps, None)
        except Exception:
            logger.exception("A turn failed; its connections end.")
            for exchange in exchanges:
                exchange.transport.close()
        finally:
            self._log.let_go()
        self._most = MOST if (time.perf_counter() - started) / len(exchanges) < DEAR else 1
