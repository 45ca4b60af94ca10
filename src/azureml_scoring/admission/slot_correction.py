"""Corrects the number of slots while the service runs.

The trial at warm-up saw few rows. Requests may differ, such as rows for which a model asks a
feature store.
"""

from __future__ import annotations

from dataclasses import dataclass

from azureml_scoring.processor_time import Spent

WINDOW = 50
"""Scores of one kind that are judged together."""

MAX_CHANGE = 0.25
"""Share of the slots by which a window may change them; one slot at least."""

MIN_DIFFERENCE = 0.3
"""Share by which the slots must be off before they are changed."""

REST_WINDOWS = 20
"""Windows without a new attempt after more slots did not help."""


@dataclass(frozen=True)
class _Attempt:
    """More slots are tried. What was before: the slots, and the processors that they kept busy."""

    slots: int
    busy: float


class SlotCorrection:
    """``note`` each score; it returns the slots to have from now on.

    Slots are missing if processors are idle while all slots are taken. More are tried then, and
    kept if they keep more processors busy: they don't if scores wait for the GIL, or for something
    that serves one at a time. Slots are too many if scores that need not share a processor wait
    little.
    """

    def __init__(self, slots: int, *, parallelism: int, max_slots: int) -> None:
        """``parallelism``: processors that all scores together can keep busy."""
        self.slots = slots
        self._parallelism = parallelism
        self._max_slots = max_slots
        self._attempt: _Attempt | None = None
        self._rest = 0
        self._clear()

    def note(self, spent: Spent, running: int) -> int:
        """Note a score that began as one of ``running``, itself among them."""
        if running >= self.slots:
            busy = self._full.add(spent.process_cpu_s, spent.wall_s)
            if busy is not None:
                self._judge_full(busy)
        if running <= self._parallelism:
            factor = self._roomy.add(spent.wall_s, spent.cpu_s)
            if factor is not None:
                self._judge_roomy(factor)
        return self.slots

    def _judge_full(self, busy: float) -> None:
        before, self._attempt = self._attempt, None
        if before and busy / before.busy < 1 + (self.slots / before.slots - 1) / 2:
            self._change_to(before.slots)
            self._rest = REST_WINDOWS
        elif self._rest:
            self._rest -= 1
        elif busy < self._parallelism * (1 - MIN_DIFFERENCE) and self.slots < self._max_slots:
            self._attempt = _Attempt(self.slots, max(busy, 1e-9))
            self._change_to(self._max_slots)

    def _judge_roomy(self, factor: float) -> None:
        needed = max(1, round(self._parallelism * factor))
        if needed < self.slots * (1 - MIN_DIFFERENCE):
            self._attempt = None
            self._change_to(needed)

    def _change_to(self, slots: int) -> None:
        change = max(1, int(MAX_CHANGE * self.slots))
        self.slots = max(self.slots - change, min(self.slots + change, slots))
        self._clear()

    def _clear(self) -> None:
        self._full, self._roomy = _Window(), _Window()


class _Window:
    """The sums of two times, over WINDOW scores."""

    def __init__(self) -> None:
        self._count, self._sums = 0, (0.0, 0.0)

    def add(self, first_s: float, second_s: float) -> float | None:
        """Return the ratio of the sums when they are complete, and start anew."""
        self._count += 1
        self._sums = self._sums[0] + first_s, self._sums[1] + second_s
        if self._count < WINDOW:
            return None
        ratio = self._sums[0] / max(self._sums[1], 1e-9)
        self._count, self._sums = 0, (0.0, 0.0)
        return ratio
