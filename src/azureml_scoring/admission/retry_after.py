"""When refused clients should try again."""

from __future__ import annotations

import random
from collections.abc import Callable

MIN_RETRY_S = 0.05

MAX_RETRY_S = 10.0
"""The load may have changed by then, and not all clients come back."""

JITTER = 0.25
"""A client is told up to so much more, so that not all workers call theirs back at once."""


class Appointments:
    """Has refused clients come back one after the other, as fast as the service can do their work,
    so that they do not find a full queue again, however many they are. Times in seconds, by any
    clock.
    """

    def __init__(self, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._uniform = uniform
        self._last = 0.0

    def retry_after_s(self, now: float, drain_s: float, request_s: float) -> float:
        """Return how long a client should wait that is refused now.

        ``drain_s``: until a slot is expected to be free. ``request_s``: what a request takes of the
        time of all slots together.
        """
        free = max(self._last, now + min(drain_s, MAX_RETRY_S))
        self._last = min(free + request_s, now + MAX_RETRY_S)
        return max(self._last - now, MIN_RETRY_S) * self._uniform(1, 1 + JITTER)
