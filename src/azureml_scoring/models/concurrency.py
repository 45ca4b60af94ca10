"""Judges by a few timed scores how many a worker should compute at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Kind = Literal["holds the GIL", "frees the GIL", "waits", "must be alone", "not tried"]

MAX_SLOTS = 48
"""Scores at once, however long they wait."""

SERIAL_SLOWDOWN = 1.35
"""Scores that keep two processors busy, and take this many times as long as one alone, run one
after the other. They take 2.0 times as long if the model holds the GIL, 1.0 if not; on a machine
with five times as much work as processors, 1.4 to 2.5 and 1.0 to 1.2. To
take work for serial that is not costs half of the capacity, the reverse very little."""

MAX_AT_ONCE = 8
"""Scores at once in the trial: what a model waits for may be another service."""

WAITING_SHARE = 0.5
"""A model that waits for this share of its time is one that waits."""

OWN_THREADS_SHARE = 0.25
"""A model whose other threads compute for this share of its time has threads of its own."""

ROWS_TOGETHER = 8
"""Rows that are tried together."""

MAX_ROWS_SLOWDOWN = 2.0
"""Rows together are cheaper if they take less than this many times as long as one: a quarter."""


@dataclass(frozen=True)
class Alone:
    """One score with nothing beside it. Seconds.

    wall_s: passed, without the time in which no processor was free.
    cpu_s: computed by all threads, as a model may have threads of its own.
    own_cpu_s: computed by the thread that called it.
    """

    wall_s: float
    cpu_s: float
    own_cpu_s: float

    @property
    def waiting_factor(self) -> float:
        """Wall time over processor time: above 1 if it waits, below if it has own threads."""
        return min(max(self.wall_s, 1e-9) / max(self.cpu_s, 1e-9), MAX_SLOTS)

    @property
    def uses_own_threads(self) -> bool:
        return self.cpu_s - self.own_cpu_s > OWN_THREADS_SHARE * self.wall_s


@dataclass(frozen=True)
class Concurrency:
    """How many scores to compute at once, and why.

    parallelism: processors that all scores together can keep busy.
    uses_own_threads: the model computes on threads beside the one that calls it.
    rows_together_are_cheaper: several rows in one call cost less than in calls of their own; None
        if that was not tried.
    reason: a sentence for operators.
    """

    kind: Kind
    slots: int
    parallelism: int
    wall_s: float
    cpu_s: float
    uses_own_threads: bool
    rows_together_are_cheaper: bool | None
    reason: str


def scores_to_try(alone: Alone) -> int:
    """Return how many scores at once keep two processors busy, if they can use two.

    It is fewer for a model that waits for most of its time. Whether that holds the GIL matters
    little.
    """
    return max(2, min(MAX_AT_ONCE, round(2 * alone.waiting_factor)))


def judge(
    alone: Alone,
    slowdown: float | None,
    rows_slowdown: float | None,
    *,
    processors: int,
) -> Concurrency:
    """Choose the slots: the processors that scores can keep busy, times wall over processor time.

    ``slowdown``: how many times as long a score took while ``scores_to_try`` ran at once; infinity
    if one failed; None if that was not tried. ``rows_slowdown``: how many times as long
    ROWS_TOGETHER rows took as one; None if not tried.
    """
    fails = slowdown == math.inf
    serial = not alone.uses_own_threads and (slowdown or 0) >= SERIAL_SLOWDOWN
    parallelism = 1 if serial or fails else processors
    slots = max(1, min(MAX_SLOTS, round(parallelism * alone.waiting_factor)))
    kind, reason = _verdict(alone, slowdown, serial=serial)
    return Concurrency(
        kind=kind,
        slots=1 if fails else slots,
        parallelism=parallelism,
        wall_s=alone.wall_s,
        cpu_s=alone.cpu_s,
        uses_own_threads=alone.uses_own_threads,
        rows_together_are_cheaper=None
        if rows_slowdown is None
        else rows_slowdown < MAX_ROWS_SLOWDOWN,
        reason=reason,
    )


def _verdict(alone: Alone, slowdown: float | None, *, serial: bool) -> tuple[Kind, str]:
    count = scores_to_try(alone)
    if slowdown == math.inf:
        return "must be alone", f"{count} scores at once failed, and one alone did not"
    waiting = 1 - 1 / alone.waiting_factor
    if waiting >= WAITING_SHARE:
        return "waits", f"a score waits for {waiting:.0%} of its time, in which others compute"
    if alone.uses_own_threads:
        busy = 1 / alone.waiting_factor
        return "frees the GIL", f"one score keeps {busy:.1f} processors busy by itself"
    if slowdown is None:
        return "not tried", "the worker has one processor, or SCORING_SLOTS is set"
    kind: Kind = "holds the GIL" if serial else "frees the GIL"
    taken = f"{count} scores at once take {slowdown:.1f} times as long as one"
    return kind, f"{taken}: the model {kind}"
