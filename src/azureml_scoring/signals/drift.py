"""The drift of a model's data over all workers: rows by bin, in a small file that they map into
memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from azureml_scoring import log
from azureml_scoring.errors import StartupError
from azureml_scoring.models.baseline import MIN_JUDGED_ROWS, WATCH_PSI, Baseline
from azureml_scoring.models.model import Model
from azureml_scoring.shared.scoreboard import Scoreboard
from azureml_scoring.signals.data_collection import Collected, Sink

MAX_FEATURES = 100
"""Only the first features of a model are watched: each is a series in Prometheus."""

HALVING_ROWS = 10_000
"""After so many rows a worker halves its counts, so that old rows weigh less."""

LOG_INTERVAL_S, MAX_LOGGED_FEATURES = 900.0, 10
"""Between two log lines of a worker, and how many features such a line names at most."""


class DriftMonitor:
    """Compares the rows of requests with the model's baselines. ``model``: returns None until the
    model is loaded."""

    def __init__(
        self,
        board: Scoreboard,
        model: Callable[[], Model | None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._board = board
        self._model = model
        self._clock = clock
        self._logged_at = clock()
        self._counts: np.ndarray | None = None

    def open_sink(self) -> Sink:
        return self._take

    def indices(self) -> Iterator[tuple[str, float]]:
        """Yield (feature, PSI) for each feature with enough rows."""
        baselines = self._baselines()
        if not baselines:
            return
        try:
            counts = self._shared(baselines).sum(axis=0)
        except StartupError:  # no room for the counters: the sink logs it, /metrics goes on without
            return
        for baseline, bins in _parts(baselines):
            if counts[bins].sum() >= MIN_JUDGED_ROWS:
                yield baseline.name, baseline.psi(counts[bins])

    def _take(self, requests: Sequence[Collected]) -> None:
        baselines = self._baselines()
        if not baselines:
            return
        columns = np.concatenate([request.batch.X for request in requests]).T
        own = self._shared(baselines)[self._board.index]
        for (baseline, bins), column in zip(_parts(baselines), columns, strict=False):
            own[bins] += baseline.count(column)
            if own[bins].sum() > HALVING_ROWS:
                own[bins] //= 2
        if self._clock() - self._logged_at >= LOG_INTERVAL_S:
            self._logged_at = self._clock()
            self._log()

    def _log(self) -> None:
        """Log the features that drifted, for InferenceDrift.kql: nobody scrapes a managed
        endpoint's metrics."""
        drifted = sorted(
            ((index, name) for name, index in self.indices() if index > WATCH_PSI), reverse=True
        )[:MAX_LOGGED_FEATURES]
        if drifted:
            listing = ", ".join(f"{name} {index:.2f}" for index, name in drifted)
            indices = {name: round(index, 3) for index, name in drifted}
            log.event(f"Features have drifted from the training data: {listing}.", drift=indices)

    def _baselines(self) -> Sequence[Baseline]:
        model = self._model()
        return model.baselines[:MAX_FEATURES] if model else ()

    def _shared(self, baselines: Sequence[Baseline]) -> np.ndarray:
        """Return the counts of all workers: (workers, bins of all features)."""
        if self._counts is None:
            self._counts = self._board.beside("drift", sum(baseline.bins for baseline in baselines))
        return self._counts


def _parts(baselines: Sequence[Baseline]) -> Iterator[tuple[Baseline, slice]]:
    start = 0
    for baseline in baselines:
        yield baseline, slice(start, start + baseline.bins)
        start += baseline.bins
