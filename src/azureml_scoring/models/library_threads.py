"""Limits the threads of BLAS and OpenMP, so that slots times threads are the processors."""

from __future__ import annotations

import threading

from threadpoolctl import ThreadpoolController


def threads_beside(slots: int, processors: int) -> int:
    """Return how many threads one score may use while all slots compute."""
    return max(1, processors // slots)


class LibraryThreads:
    """The limit of one process. Make it once the model is loaded, and its libraries with it.

    OpenMP keeps a limit for each thread that calls it, so every thread that predicts calls
    ``apply`` first.
    """

    def __init__(self) -> None:
        self._libraries = ThreadpoolController()
        self._limit = 1
        self._here = threading.local()

    def limit(self, threads: int) -> None:
        """Set the limit. Another thread has it from its next ``apply`` on."""
        self._limit = threads
        self.apply()

    def apply(self) -> None:
        """Give the calling thread the limit, unless it has it."""
        if getattr(self._here, "limit", None) != self._limit:
            self._libraries.limit(limits=self._limit)
            self._here.limit = self._limit
