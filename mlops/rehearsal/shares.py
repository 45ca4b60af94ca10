"""Distributes requests by percent."""

from __future__ import annotations

from collections.abc import Mapping


class Shares:
    """Picks names by their shares: after any number of picks each has had its share, to within
    one."""

    def __init__(self, percent: Mapping[str, int]) -> None:
        self._percent = {name: share for name, share in percent.items() if share}
        self._due = dict.fromkeys(self._percent, 0)
        self._left_over = 0

    def pick(self) -> str | None:
        """Return the next name, or None in as many cases as the shares lack to 100 percent."""
        for name, share in self._percent.items():
            self._due[name] += share
        self._left_over += 100 - sum(self._percent.values())
        first = max(self._due, key=self._due.__getitem__, default=None)
        if first is None or self._due[first] < self._left_over:
            self._left_over -= 100
            return None
        self._due[first] -= 100
        return first
