"""How many slots a worker has: by a setting or a trial, and corrected while scores run."""

from __future__ import annotations

from collections.abc import Callable

from azureml_scoring.admission.slot_correction import SlotCorrection
from azureml_scoring.admission.slot_queue import AnyTicket, SlotQueue
from azureml_scoring.processor_time import Spent
from azureml_scoring.shared.scoreboard import WorkerRow

SLOTS_WHEN_LENT = 2
"""Times the slots: so many scores run at once if some take much longer than expected."""


class SlotCount:
    """Sets the slots of a queue, as many as it admits requests at most, and publishes them.

    ``row``, ``slots``, ``lend``: see ``ScoreSlots``. The caller holds the lock of the queue.
    """

    def __init__(
        self,
        queue: SlotQueue[AnyTicket],
        row: Callable[[], WorkerRow],
        slots: int,
        *,
        lend: bool,
    ) -> None:
        self._queue = queue
        self._row = row
        self._correction: SlotCorrection | None = None
        self._use(slots, lend=lend)

    def measured(self, slots: int, *, parallelism: int, correct: bool) -> None:
        """Use what a trial chose. See ``ScoreSlots.measured``."""
        max_slots = self._queue.max_requests
        if correct:
            self._correction = SlotCorrection(
                min(slots, max_slots), parallelism=parallelism, max_slots=max_slots
            )
        self._use(slots, lend=correct)

    def note(self, spent: Spent, running: int) -> None:
        """Correct the slots by a score that has ended. It began as one of ``running``."""
        if self._correction:
            self._use(self._correction.note(spent, running), lend=True)

    def publish(self) -> None:
        self._row().admission.slots = self._queue.slots

    def _use(self, slots: int, *, lend: bool) -> None:
        """Each score needs a thread, of which there are as many as requests may be admitted."""
        threads = self._queue.max_requests
        self._queue.slots = min(slots, threads)
        self._queue.max_running = min(slots * SLOTS_WHEN_LENT if lend else slots, threads)
        self.publish()
