"""What rate limits and quotas count. The gateway's own counters are approximate over its instances;
these are exact."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


class SlidingWindow:
    """``rate-limit-by-key``: of any ``seconds`` in a row, ``calls`` at most are let through.

    https://learn.microsoft.com/azure/api-management/rate-limit-by-key-policy. Whether refused calls
    count is not documented; here they do not.
    """

    def __init__(self, calls: int, seconds: int, now: Clock) -> None:
        self.calls, self._length, self._now = calls, timedelta(seconds=seconds), now
        self._passed: dict[str, deque[datetime]] = defaultdict(deque)

    def passes(self, key: str) -> bool:
        passed, now = self._passed[key], self._now()
        while passed and now - passed[0] >= self._length:
            passed.popleft()
        if len(passed) >= self.calls:
            return False
        passed.append(now)
        return True

    def remaining(self, key: str) -> int:
        return self.calls - len(self._passed[key])

    def retry_after(self, key: str) -> int:
        """Whole seconds until a call passes again."""
        return math.ceil((self._passed[key][0] + self._length - self._now()).total_seconds())


class FixedWindow:
    """``quota`` and ``quota-by-key``: ``calls`` at most in each period, counted from ``start``.

    https://learn.microsoft.com/azure/api-management/quota-by-key-policy: periods begin at
    0001-01-01, https://learn.microsoft.com/azure/api-management/quota-policy: when the subscription
    did.
    """

    def __init__(self, calls: int, seconds: int, now: Clock) -> None:
        self.calls, self._length, self._now = calls, timedelta(seconds=seconds), now
        self._spent: dict[tuple[str, int], int] = defaultdict(int)

    def spend(self, key: str, calls: int = 1, start: datetime = BEGINNING) -> bool:
        """Count calls; return whether so many were left."""
        period = (key, (self._now() - start) // self._length)
        if self._spent[period] + calls > self.calls:
            return False
        self._spent[period] += calls
        return True

    def retry_after(self, start: datetime = BEGINNING) -> int:
        """Whole seconds until the next period."""
        return math.ceil((self._length - (self._now() - start) % self._length).total_seconds())
