"""What one turn of the event loop has to say, said together: its answers, then its lines of the log.

A turn answers all requests that came meanwhile. Saying each thing by itself would wake a sleeping reader each time,
which on a virtual machine takes as long as half a request (docs/adr/0007).
"""

from __future__ import annotations

import asyncio

from telemetry import JsonLines, lines

MOST = 8
"""Connections whose answers wait for one another."""


class Turn:
    """Of one loop, whose thread calls it: ``begin``, then ``send`` what there is; it ends by itself."""

    def __init__(self, log: JsonLines = lines) -> None:
        self._log = log
        self._begun = False
        self._answers: dict[asyncio.Transport, bytes] = {}

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._begun:
            self._begun = True
            self._log.hold_back()
            loop.call_soon(self.end)

    def send(self, transport: asyncio.Transport, answer: bytes) -> None:
        self._answers[transport] = self._answers.get(transport, b"") + answer
        if len(self._answers) == MOST:
            self._send_all()

    def end(self) -> None:
        """Before its time where something else is to be written on a connection."""
        if self._begun:
            self._begun = False
            self._send_all()
            self._log.let_go()

    def _send_all(self) -> None:
        answers, self._answers = self._answers, {}
        for transport, answer in answers.items():
            if not transport.is_closing():
                transport.write(answer)
