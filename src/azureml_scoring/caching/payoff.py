"""Measures on the requests as they come whether looking up costs less than computing."""

from __future__ import annotations

import itertools
import statistics
from collections import deque
from collections.abc import Callable

MEDIAN_TIMINGS = 25
"""How many of the last timings the median is taken of, so that one slow call changes nothing."""

JUDGE_EVERY_REQUESTS = 10
RETEST_EVERY_REQUESTS = 100
"""One request in so many looks up although that does not pay, to see whether it does by now."""


class Payoff:
    """Compares the median seconds of looking up and of computing.

    Threads share it without a lock: a timing lost between two of them changes nothing.
    ``on_judged`` is called with both medians whenever they are compared.
    """

    def __init__(
        self, on_judged: Callable[[float, float], None] = lambda look_up, compute: None
    ) -> None:
        self._on_judged = on_judged
        self._look_ups: deque[float] = deque(maxlen=MEDIAN_TIMINGS)
        self._computations: deque[float] = deque(maxlen=MEDIAN_TIMINGS)
        self._request_numbers = itertools.count(1)
        self.pays = True

    def worth_a_try(self) -> bool:
        """True if looking up pays, or if it is time to test again."""
        number = next(self._request_numbers)
        if number % JUDGE_EVERY_REQUESTS == 0 and len(self._look_ups) == MEDIAN_TIMINGS == len(
            self._computations
        ):
            look_up = statistics.median(self._look_ups.copy())
            compute = statistics.median(self._computations.copy())
            self.pays = look_up < compute
            self._on_judged(look_up, compute)
        return self.pays or number % RETEST_EVERY_REQUESTS == 0

    def looked_up(self, seconds: float) -> None:
        self._look_ups.append(seconds)

    def computed(self, seconds: float) -> None:
        self._computations.append(seconds)
