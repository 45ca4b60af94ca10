"""A whole request that waits for the event loop to compute it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

from azureml_scoring.errors import Overloaded, ScoringError

HEADER_BYTES = 300
"""Memory of a header as Python has it, once read and once not, beside its characters."""

logger = logging.getLogger("uvicorn.error")


class Connection(Protocol):
    """``compute`` or ``refuse`` answers the request of the connection that waited longest."""

    transport: Any

    def compute(self, request: WaitingRequest) -> None: ...

    def refuse(self, request: WaitingRequest, error: ScoringError) -> None: ...


class WaitingRequest:
    """One request. ``due``: its deadline, by the monotonic clock. ``refusal``: what it waits for,
    if that was decided when it arrived."""

    def __init__(
        self,
        connection: Connection,
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
        self.refusal: Overloaded | None = None
        self.since = time.perf_counter()
        self._connection = connection

    @property
    def memory_bytes(self) -> int:
        """Return about how much memory the request takes."""
        texts = sum(len(name) + len(value) for name, value in self.fields)
        return len(self.body) + 2 * texts + HEADER_BYTES * len(self.fields)

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
