"""Limits the threads of BLAS and OpenMP, so that slots times threads are the processors."""

from __future__ import annotations

import threading
from typing import Any

from threadpoolctl import ThreadpoolController

from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.model import Predict


def threads_beside(slots: int, processors: int) -> int:
    """Return how many threads one score may use while all slots compute."""
    return max(1, processors // slots)


class LibraryThreads:
    """The limit of one process. Make it once the model is loaded, and its libraries with it.

    OpenMP keeps a limit for each thread that calls it, so the limit is applied at each predict.
    """

    def __init__(self) -> None:
        self._libraries = ThreadpoolController()
        self._limit = 1
        self._here = threading.local()

    def limit(self, threads: int) -> None:
        """Set the limit for the next predict of any thread."""
        self._limit = threads

    def limited(self, predict: Predict) -> Predict:
        """Return ``predict`` with the limit."""

        def limited(batch: Batch) -> list[Any]:
            if getattr(self._here, "limit", None) != self._limit:
                self._libraries.limit(limits=self._limit)
                self._here.limit = self._limit
            return predict(batch)

        return limited
