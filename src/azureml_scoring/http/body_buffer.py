"""A request body that arrives in parts, kept within limits."""

from __future__ import annotations

import io

from azureml_scoring.body_budget import LARGE_BODY_BYTES, Held
from azureml_scoring.errors import IncompleteBody, Overloaded
from azureml_scoring.inputs.limits import Limits

MAX_SKIPPED_BYTES = 100_000_000
"""How much of a refused body is read and thrown away, so that the client can read the answer."""


class BodyBuffer:
    """One body: ``add`` its parts while it ``wants_more``, then ``finish``.

    A body that is too large, or for which the budget has no room, is read on but not kept: a client
    that is still sending would not read the answer.
    """

    def __init__(self, limits: Limits, announced: int, held: Held | None) -> None:
        """``announced``: Content-Length in bytes, 0 if there is none. ``held``: what a large body
        takes of the budget."""
        self._limits = limits
        self._announced = announced
        self._held = held
        self._counted = 0
        self._size = 0
        self._kept = io.BytesIO()
        self._no_room: Overloaded | None = None

    @property
    def wants_more(self) -> bool:
        """False once so much of a refused body was skipped that nobody waits for its end."""
        return self._size <= MAX_SKIPPED_BYTES

    def add(self, part: bytes) -> None:
        self._size += len(part)
        if max(self._announced, self._size) <= self._limits.max_bytes and self._has_room():
            self._kept.write(part)
        else:
            self._kept = io.BytesIO()

    def _has_room(self) -> bool:
        if self._held and self._size > LARGE_BODY_BYTES and not self._no_room:
            self._no_room = self._held.no_room(self._size - self._counted)
            self._counted = self._size
        return self._no_room is None

    def finish(self) -> bytes:
        """Return the whole body. Raises PayloadTooLarge, Overloaded or IncompleteBody."""
        self._limits.check_bytes(max(self._announced, self._size))
        if self._no_room:
            raise self._no_room
        if self._size < self._announced:
            raise IncompleteBody("The request body ended before its Content-Length.", "")
        return self._kept.getvalue()
