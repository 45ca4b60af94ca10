"""Limits how long a request may be expected to wait, or it is refused at once.

While the service keeps up, a request may wait for as long as a burst lasts. Once more work arrives
than can be done, a queue only makes every answer late, so a request is refused unless its answer is
expected within a share of the objective. This is CoDel's distinction (RFC 8289), made when a
request arrives, by the expected wait, and not by the wait that it has had.
"""

from __future__ import annotations

import math

STRICT_SHARE = 0.6
"""Share of the objective. Expected times are means: some scores take longer."""

MIN_QUEUE = 0.4
"""A request may always wait for this part of its own work, so that no slot stays idle."""

PATIENCE = 2.5
"""Times the objective: 500 ms, the SLO's P99, by default. Times the own work, if that is more."""

STANDING_QUEUE_S = 0.5
"""A burst's queue is gone sooner."""


class WaitLimit:
    """The limit of a worker. Times in seconds.

    ``objective_s``: an answer within this time is worth something. ``strict``: more work arrives
    than can be done.
    """

    def __init__(self, objective_s: float) -> None:
        self.strict = False
        self._objective_s = objective_s
        self._long_since: float | None = None
        self._load = OfferedLoad()

    def offer(self, now: float, work_s: float, slots: int) -> None:
        """Count a request that arrives, whether it is admitted or not."""
        self._load.add(now, work_s / slots)

    def end_if_over(self, now: float) -> None:
        """Be strict no longer if less arrives than can be done. Call it when a request need not
        queue, or its wait is short."""
        if self.strict and self._load.value(now) < 1:
            self.strict = False

    def patience_s(self, work_s: float) -> float:
        """Return the longest wait of a request, whatever happens."""
        return PATIENCE * max(self._objective_s, work_s)

    def strict_s(self, work_s: float, mean_s: float) -> float:
        """Return the longest wait while more work arrives than can be done. See ``admits``."""
        return max(STRICT_SHARE * self._objective_s - mean_s, MIN_QUEUE * max(work_s, mean_s))

    def admits(self, now: float, wait_s: float, work_s: float, mean_s: float) -> bool:
        """Return False if a request must be refused that is expected to wait for ``wait_s``.

        ``work_s``: how long it is computed; ``mean_s``: how long an ordinary one is. The strict
        limit is the same for all, or large requests would find a queue of small ones before them.
        """
        if wait_s <= self.strict_s(work_s, mean_s):
            self._long_since = None
            self.end_if_over(now)
            return True
        if self._long_since is None:
            self._long_since = now
        elif now - self._long_since > STANDING_QUEUE_S and self._load.value(now) > 1:
            self.strict = True
        return not self.strict and wait_s <= self.patience_s(work_s)


class OfferedLoad:
    """The work that arrives, divided by the work that can be done: 1.0 is capacity."""

    MEMORY_S = 3.0
    MEMORY_REQUESTS = 10
    """Time constant: seconds, or those that so many requests take."""

    def __init__(self) -> None:
        self._memory_s = self.MEMORY_S
        self._began: float | None = None
        self._work_s = 0.0
        self._at = 0.0

    def add(self, now: float, work_s: float) -> None:
        """``work_s``: divided by the number of slots."""
        if self._began is None:
            self._began = now
        self._work_s = self._decayed(now) + work_s
        self._at = now
        self._memory_s = max(self.MEMORY_S, self.MEMORY_REQUESTS * work_s)

    def value(self, now: float) -> float:
        """Return the load of the last seconds."""
        if self._began is None:
            return 0.0
        seen_s = self._memory_s * -math.expm1((self._began - now) / self._memory_s)
        return self._decayed(now) / max(seen_s, self._memory_s / 3)

    def _decayed(self, now: float) -> float:
        return self._work_s * math.exp((self._at - now) / self._memory_s)
