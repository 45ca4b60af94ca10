"""When a refused client should try again."""

from __future__ import annotations

import random
from collections.abc import Callable

MIN_RETRY_S = 0.05


def retry_after_s(
    drain_s: float, uniform: Callable[[float, float], float] = random.uniform
) -> float:
    """Return the seconds to wait: once what waits is done, or up to twice as long, so that not all
    clients come back at once."""
    return max(drain_s, MIN_RETRY_S) * uniform(1, 2)
