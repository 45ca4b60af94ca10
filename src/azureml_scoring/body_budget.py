"""How many bytes of bodies a worker holds at once; and that large ones are taken apart one after
the other.

The first bounds the memory of what waits, the second of what a parser needs for a moment. It costs
no time, as parsing holds the interpreter anyway, and leaves that free for probes in between.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from azureml_scoring.errors import Overloaded

LARGE = 65_536
"""Bytes of a body that takes its turn; smaller ones are parsed in less time than that costs."""

SHARE = 16
"""A body may take four times its bytes while it is parsed, so bodies take a quarter of the memory
at most."""

CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


class BodyBudget:
    """``limit`` in bytes; ``patience`` in seconds, for a turn."""

    def __init__(self, limit: int, *, patience: float) -> None:
        self._limit = limit
        self._patience = patience
        self._held = 0
        self._lock = threading.Lock()
        self._turn = threading.Lock()

    def hold(self) -> Held:
        return Held(self)

    def take(self, count: int, own: int) -> None:
        """``own``: what the request holds so far. One that is alone may hold as much as it likes:
        others limit it."""
        with self._lock:
            if self._held > own and self._held + count > self._limit:
                raise Overloaded(
                    "The service holds as many bytes as it may; retry after the time in "
                    "Retry-After."
                )
            self._held += count

    def give_back(self, count: int) -> None:
        with self._lock:
            self._held -= count

    def wait(self) -> None:
        if not self._turn.acquire(timeout=self._patience):
            raise Overloaded(
                "The request waited too long for its turn; retry after the time in Retry-After."
            )

    def next(self) -> None:
        self._turn.release()


class Held:
    """What one request holds of the budget. As a context manager it gives all back at the end; so
    does ``release``."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._count = 0
        self._on_turn = False

    def take(self, count: int) -> None:
        """So many bytes more. Raises Overloaded."""
        self._budget.take(count, self._count)
        self._count += count

    def no_room(self, count: int) -> Overloaded | None:
        """Take them, or let go of what was taken, for others that have come as far, and say why."""
        try:
            self.take(count)
        except Overloaded as error:
            self.release()
            return error
        return None

    def turn(self) -> None:
        """Wait to be the only one that takes a large body apart, until ``end_turn``. Raises
        Overloaded."""
        if not self._on_turn:
            self._budget.wait()
            self._on_turn = True

    def end_turn(self) -> None:
        if self._on_turn:
            self._on_turn = False
            self._budget.next()

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
    """In bytes: what the container may use, or what the machine has, whichever is less."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in map(Path, limits):
        if path.is_file() and (text := path.read_text().strip()).isdecimal():  # else "max"
            found.append(int(text))
    return min(found)
