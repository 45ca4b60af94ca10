"""Limits the threads of BLAS, OpenMP and boosters, so that slots times threads are the
processors."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from threadpoolctl import ThreadpoolController

from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.booster_threads import SetThreads
from azureml_scoring.models.model import Predict


def threads_beside(slots: int, processors: int) -> int:
    """Return how many threads one score may use while all slots compute."""
    return max(1, processors // slots)


class LibraryThreads:
    """The limit of one process. Make it once the model is loaded, and its libraries with it.

    OpenMP keeps a limit for each thread that calls it, so the limit is applied at each predict.
    """

    def __init__(self, boosters: Sequence[SetThreads] = ()) -> None:
        self._libraries = ThreadpoolController()
        self._boosters = boosters
        self._here = threading.local()
        self.limit(1)

    def limit(self, threads: int) -> None:
        """Set the limit for the next predict of any thread."""
        self._limit = threads
        for set_threads in self._boosters:
            with suppress(Exception):  # a class from outside may refuse, such as a frozen one
                set_threads(threads)

    @property
    def count(self) -> int:
        """The threads that one predict may use."""
        return self._limit

    def apply(self) -> None:
        """Let the calling thread keep to the limit."""
        if getattr(self._here, "limit", None) != self._limit:
            self._libraries.limit(limits=self._limit)
            self._here.limit = self._limit

    def limited(self, predict: Predict) -> Predict:
        """Return ``predict`` with the limit."""

        def limited(batch: Batch) -> list[Any]:
            self.apply()
            return predict(batch)

        return limited
