"""What a worker is offered, and how it copes, in its row of the scoreboard."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence

from azureml_scoring.errors import OverloadReason

REASONS = tuple(OverloadReason)
_INDEX_OF = {reason: index for index, reason in enumerate(REASONS)}

LOAD_MEMORY_S = 10.0
"""Time constant of the offered load."""


class AdmissionRow(ctypes.Structure):
    """Counters stay when the worker dies, gauges do not.

    ``offered_s``: the work that has arrived, in seconds of a slot, refused or not. ``refusals``: by
    reason. ``slots``: scores that are computed at once. ``waiting``: requests that wait for a slot.
    ``shedding``, ``shedding_inline``: 1 if more work arrives than the slots, or the event loop, can
    do.
    """

    offered_s: float
    refusals: ctypes.Array[ctypes.c_int64]
    slots: int
    waiting: int
    shedding: int
    shedding_inline: int
    recent_s: float
    recent_at: float
    _fields_ = [
        ("offered_s", ctypes.c_double),
        ("refusals", ctypes.c_int64 * len(REASONS)),
        ("slots", ctypes.c_int64),
        ("waiting", ctypes.c_int64),
        ("shedding", ctypes.c_int64),
        ("shedding_inline", ctypes.c_int64),
        ("recent_s", ctypes.c_double),
        ("recent_at", ctypes.c_double),
    ]
    GAUGES = ("slots", "waiting", "shedding", "shedding_inline", "recent_s", "recent_at")

    def offer(self, now: float, work_s: float) -> None:
        """Count a request that arrives, whether it is admitted or not. ``work_s``: how long a slot
        is expected to be taken by it."""
        self.offered_s += work_s
        self.recent_s = self._recent(now) + work_s
        self.recent_at = now

    def refuse(self, reason: OverloadReason) -> None:
        self.refusals[_INDEX_OF[reason]] += 1

    def sheds(self, now: float) -> bool:
        """Return False also if nothing has arrived since, which would have ended it."""
        sheds = self.shedding or self.shedding_inline
        return bool(sheds) and now - self.recent_at < LOAD_MEMORY_S

    def slots_wanted(self, now: float) -> float:
        """Return how many slots would have done the work of the last seconds as it arrived."""
        return self._recent(now) / LOAD_MEMORY_S

    def _recent(self, now: float) -> float:
        return self.recent_s * math.exp(min(self.recent_at - now, 0.0) / LOAD_MEMORY_S)


def offered_load(rows: Sequence[AdmissionRow], now: float) -> float:
    """Return the work that arrives, divided by what all slots can do: 1.0 is capacity."""
    slots = sum(row.slots for row in rows)
    return sum(row.slots_wanted(now) for row in rows) / slots if slots else 0.0
