"""Bounds the bytes of bodies that a worker holds at once, and lets large ones be parsed one by one.

The first bounds the memory of requests that wait, the second what a parser needs for a moment.
Taking turns costs no time, as parsing holds the interpreter anyway, and lets probes in between.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from azureml_scoring.errors import RETRY, TOO_LATE, DeadlineExceeded, Overloaded, OverloadReason

LARGE_BODY_BYTES = 65_536
"""A larger body takes its turn; a smaller one is parsed in less time than a turn costs."""

MEMORY_SHARE = 16
"""Bodies may hold a sixteenth of the memory. Parsing may take four times their bytes, so a quarter
of the memory at most."""

CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


class BodyBudget:
    """The budget of a worker, in bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._lock = threading.Lock()
        self._turn = threading.Lock()

    def hold(self, due: float) -> Held:
        """``due``: the request's deadline, by the monotonic clock."""
        return Held(self, due)

    def take(self, count: int, own: int) -> None:
        """Hold so many bytes more. ``own``: what the request holds already.

        A request that is alone may hold any number: only others limit it. Raises Overloaded.
        """
        with self._lock:
            if self._held > own and self._held + count > self._limit:
                raise Overloaded(
                    f"The service holds as many bytes as it may; {RETRY}.",
                    reason=OverloadReason.MEMORY,
                )
            self._held += count

    def give_back(self, count: int) -> None:
        with self._lock:
            self._held -= count

    def wait_for_turn(self, due: float) -> None:
        if not self._turn.acquire(timeout=max(due - time.monotonic(), 0)):
            raise DeadlineExceeded(TOO_LATE)

    def end_turn(self) -> None:
        self._turn.release()


class Held:
    """What one request holds of the budget. ``release``, or the end of a ``with`` block, gives it
    back."""

    def __init__(self, budget: BodyBudget, due: float) -> None:
        self._budget = budget
        self._due = due
        self._count = 0
        self._on_turn = False

    def take(self, count: int) -> None:
        """Hold so many bytes more. Raises Overloaded."""
        self._budget.take(count, self._count)
        self._count += count

    def no_room(self, count: int) -> Overloaded | None:
        """Hold so many bytes more, or return why not.

        In that case all is given back, for others that have come as far.
        """
        try:
            self.take(count)
        except Overloaded as error:
            self.release()
            return error
        return None

    def turn(self) -> None:
        """Wait to be the only one that parses a large body, until ``end_turn``. Raises
        DeadlineExceeded."""
        if not self._on_turn:
            self._budget.wait_for_turn(self._due)
            self._on_turn = True

    def end_turn(self) -> None:
        if self._on_turn:
            self._on_turn = False
            self._budget.end_turn()

    def release(self) -> None:
        self.end_turn()
        count, self._count = self._count, 0
        if count:
            self._budget.give_back(count)

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.release()


def container_memory(limits: tuple[str, ...] = CGROUP_LIMITS) -> int:
    """Return the bytes that the container may use, or that the machine has, whichever is less."""
    sizes = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in map(Path, limits):
        if path.is_file() and (text := path.read_text().strip()).isdecimal():  # else "max"
            sizes.append(int(text))
    return min(sizes)
