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

RECENT_SCORES = 32
MAX_VARIATION = 0.75
"""Variance of the recent scores' times, in units of the squared mean. If a few take much longer
than most, all requests of a batch would wait for its longest row."""

MAX_OUTLIER = 8.0
"""A score counts as at most so many times the mean: one is soon forgotten, several are not."""

MAX_SHRINKING = 0.75
"""One batch leaves this share of the rows: it may have been slow for another reason."""

FIRST_ROWS = 8
"""A service that has just started does not know yet how long a larger batch takes."""


class BatchSize:
    """``rows``: how many a joint batch may have at present, ``max_rows`` at most. They shrink
    by up to a quarter when a batch takes too long, and grow by an eighth while batches do not.
    While scores take very different times, rows are not joined."""

    def __init__(self, max_rows: int, objective_s: float) -> None:
        self.rows = min(FIRST_ROWS, max_rows)
        self._max_rows = max_rows
        self._objective_s = objective_s
        self._alone_s = math.inf
        self._mean_s, self._mean_square = 0.0, 0.0

    def add(self, rows: int, seconds: float) -> None:
        """Learn how long a batch has taken."""
        if self._varies(seconds):
            self.rows = 1
            return
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

    def _varies(self, seconds: float) -> bool:
        """Return True if recent scores, this one among them, take very different times."""
        if not self._mean_s:
            self._mean_s, self._mean_square = seconds, seconds**2
        seconds = min(seconds, MAX_OUTLIER * self._mean_s)
        self._mean_s += (seconds - self._mean_s) / RECENT_SCORES
        self._mean_square += (seconds**2 - self._mean_square) / RECENT_SCORES
        variance = self._mean_square - self._mean_s**2
        return variance > MAX_VARIATION * self._mean_s**2
