"""Loads the estimator beside a compiled model once a request needs it.

Few requests do, and most services never get one. Until then a worker holds none of scikit-learn,
SciPy and pandas, which take more memory and start-up time than all the rest (docs/adr/0022).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Literal

from azureml_scoring import log
from azureml_scoring.errors import TOO_LATE, DeadlineExceeded, ModelFailed
from azureml_scoring.inputs.batch import Batch

EstimatorState = Literal["loaded", "not loaded", "failed", "absent"]
"""``not loaded``: a request that needs the estimator loads it. ``absent``: such a request is
refused."""


class EstimatorNeeded(Exception):
    """Only the estimator can answer, and it is not loaded. ``estimator``: wait for it, and try
    again."""

    def __init__(self, estimator: EstimatorOnDemand) -> None:
        self.estimator = estimator


class EstimatorOnDemand:
    """``estimator(batch)`` -> one JSON-ready answer per row.

    load: verifies, loads and tries the estimator; raises StartupError. waits: a call loads it. A
    service sets that to False: then EstimatorNeeded is raised, so that neither an event loop nor a
    slot waits.
    """

    def __init__(self, load: Callable[[], Callable[[Batch], list[Any]]]) -> None:
        self.waits = True
        self._load = load
        self._lock = threading.Lock()
        self._loading: Future[Callable[[Batch], list[Any]]] | None = None

    def __call__(self, batch: Batch) -> list[Any]:
        loading = self._loading
        if loading and loading.done():
            return _loaded(loading)(batch)
        if self.waits:
            return self.loaded()(batch)
        raise EstimatorNeeded(self)

    @property
    def state(self) -> EstimatorState:
        if not (self._loading and self._loading.done()):
            return "not loaded"
        return "failed" if self._loading.exception() else "loaded"

    def loaded(self, timeout_s: float | None = None) -> Callable[[Batch], list[Any]]:
        """Load the estimator on a thread of its own and wait for it. Raises DeadlineExceeded, or
        ModelFailed if it can't be loaded."""
        loading = self.begin()
        try:
            loading.exception(timeout_s)
        except TimeoutError:
            raise DeadlineExceeded(TOO_LATE) from None
        return _loaded(loading)

    def begin(self) -> Future[Callable[[Batch], list[Any]]]:
        """Begin to load the estimator, unless that has been done."""
        with self._lock:
            if self._loading is None:
                self._loading = Future()
                threading.Thread(
                    target=self._run, args=(self._loading,), name="load-estimator", daemon=True
                ).start()
            return self._loading

    def _run(self, loading: Future[Callable[[Batch], list[Any]]]) -> None:
        started = time.perf_counter()
        try:
            predict = self._load()
        except BaseException as error:  # a pickle can raise anything
            log.event(f"The estimator can't be loaded: {error}", logging.ERROR)
            loading.set_exception(error)
        else:
            log.event("A request needs the estimator: it is loaded", seconds=_since(started))
            loading.set_result(predict)


def _loaded(loading: Future[Callable[[Batch], list[Any]]]) -> Callable[[Batch], list[Any]]:
    if error := loading.exception():
        raise ModelFailed(
            "The model's estimator, which alone can answer this request, can't be loaded; the log "
            "says why."
        ) from error
    return loading.result()


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 3)
