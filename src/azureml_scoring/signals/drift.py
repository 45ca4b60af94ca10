"""The drift of a model's data, of all workers: rows by bin, in a small file that they map into
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

FEATURES = 100
"""Of a model with more, the first ones: each is a series in Prometheus."""

WINDOW = 10_000
"""Rows of a worker, after which all that it has counted weighs half."""

LOG_EVERY, LOGGED = 900.0, 10
"""Seconds between two log lines of a worker, and how many features such a line names at most."""


class Drift:
    """``model``: None as long as it is not loaded."""

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
        """(feature, PSI), as soon as there are rows enough."""
        baselines = self._baselines()
        if not baselines:
            return
        try:
            now = self._shared(baselines).sum(axis=0)
        except (
            StartupError
        ):  # no room for the counters, which the sink tells; there is more in /metrics
            return
        for baseline, bins in _parts(baselines):
            if now[bins].sum() >= MIN_JUDGED_ROWS:
                yield baseline.name, baseline.psi(now[bins])

    def _take(self, taken: Sequence[Collected]) -> None:
        baselines = self._baselines()
        if not baselines:
            return
        columns = np.concatenate([one.batch.X for one in taken]).T
        own = self._shared(baselines)[self._board.index]
        for (baseline, bins), column in zip(_parts(baselines), columns, strict=False):
            own[bins] += baseline.count(column)
            if own[bins].sum() > WINDOW:
                own[bins] //= 2
        if self._clock() - self._logged_at >= LOG_EVERY:
            self._logged_at = self._clock()
            self._log()

    def _log(self) -> None:
        """Log the features that moved, for InferenceDrift.kql: nobody scrapes a managed endpoint's
        metrics."""
        moved = sorted(
            ((index, name) for name, index in self.indices() if index > WATCH_PSI), reverse=True
        )[:LOGGED]
        if moved:
            said = ", ".join(f"{name} {index:.2f}" for index, name in moved)
            indices = {name: round(index, 3) for index, name in moved}
            log.event(f"Features have drifted from the training data: {said}.", drift=indices)

    def _baselines(self) -> Sequence[Baseline]:
        model = self._model()
        return model.baselines[:FEATURES] if model else ()

    def _shared(self, baselines: Sequence[Baseline]) -> np.ndarray:
        """(workers, bins of all features)."""
        if self._counts is None:
            self._counts = self._board.beside("drift", sum(baseline.bins for baseline in baselines))
        return self._counts


def _parts(baselines: Sequence[Baseline]) -> Iterator[tuple[Baseline, slice]]:
    start = 0
    for baseline in baselines:
        yield baseline, slice(start, start + baseline.bins)
        start += baseline.bins
