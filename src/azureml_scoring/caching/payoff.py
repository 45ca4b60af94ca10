"""Does looking up cost less than computing? Measured as it runs, over the last times of each."""

from __future__ import annotations

import itertools
import statistics
from collections import deque
from collections.abc import Callable

WINDOW = 25
"""Times of which the median counts, so that a single slow one says nothing."""

JUDGE_EVERY = 10
RETEST_EVERY = 100
"""While it does not pay, one request in so many looks up all the same, to see whether that has
changed."""


class Payoff:
    """Times in seconds. Threads share it without a lock: a time lost between two of them changes
    nothing.

    ``judged`` is told the medians, of looking up and of computing, whenever they are compared.
    """

    def __init__(
        self, judged: Callable[[float, float], None] = lambda look_up, compute: None
    ) -> None:
        self._judged = judged
        self._look_ups: deque[float] = deque(maxlen=WINDOW)
        self._computations: deque[float] = deque(maxlen=WINDOW)
        self._asked = itertools.count(1)
        self.pays = True

    def worth_a_try(self) -> bool:
        """It pays, or it is time to test again."""
        asked = next(self._asked)
        if asked % JUDGE_EVERY == 0 and len(self._look_ups) == WINDOW == len(self._computations):
            look_up, compute = (
                statistics.median(self._look_ups.copy()),
                statistics.median(self._computations.copy()),
            )
            self.pays = look_up < compute
            self._judged(look_up, compute)
        return self.pays or asked % RETEST_EVERY == 0

    def looked_up(self, seconds: float) -> None:
        self._look_ups.append(seconds)

    def computed(self, seconds: float) -> None:
        self._computations.append(seconds)
