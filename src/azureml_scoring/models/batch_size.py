"""Finds how many rows a joint batch may have, so that its requests are still answered in time."""

from __future__ import annotations

import math

OBJECTIVE_SHARE = 0.5
"""A request may wait for the batch before its own, so each may take half of the objective."""

ALONE_TIMES = 2.0
"""A batch may always take so many times as long as one row: joining then brings something, however
slow the model is."""

RECENT_SINGLES = 8
"""Scores of one row that say how long one takes; the last ones count most."""

MAX_SHRINKING = 0.75
"""One batch leaves this share of the rows: it may have been slow for another reason."""

FIRST_ROWS = 8
"""A service that has just started does not know yet how long a larger batch takes."""


class BatchSize:
    """``rows``: how many a joint batch may have at present, ``max_rows`` at most. They shrink
    by up to a quarter when a batch takes too long, and grow by an eighth while batches do not."""

    def __init__(self, max_rows: int, objective_s: float) -> None:
        self.rows = min(FIRST_ROWS, max_rows)
        self._max_rows = max_rows
        self._objective_s = objective_s
        self._alone_s = math.inf

    def add(self, rows: int, seconds: float) -> None:
        """Learn how long a batch has taken."""
        if rows == 1 and self._alone_s < math.inf:
            self._alone_s += (seconds - self._alone_s) / RECENT_SINGLES
        else:
            self._alone_s = min(self._alone_s, seconds)
        limit_s = max(OBJECTIVE_SHARE * self._objective_s, ALONE_TIMES * self._alone_s)
        if seconds > limit_s:
            fitting = max(int(rows * limit_s / seconds), int(MAX_SHRINKING * self.rows))
            self.rows = max(1, min(self.rows, fitting))
        elif 2 * rows >= self.rows:
            self.rows = min(self._max_rows, self.rows + 1 + self.rows // 8)
