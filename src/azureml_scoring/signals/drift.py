"""Watches whether what clients send, and what the model answers, is like at packaging: over all
workers and a day."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from azureml_scoring import log
from azureml_scoring.errors import StartupError
from azureml_scoring.models.drift_rule import STREAM_LEVEL, Drift, measure, score_limit
from azureml_scoring.models.model import Model
from azureml_scoring.shared.scoreboard import Scoreboard
from azureml_scoring.signals.data_collection import Collected, Sink
from azureml_scoring.signals.drift_window import DriftWindow
from azureml_scoring.signals.request_bins import Refused, count
from azureml_scoring.signals.watched_columns import (
    Cell,
    FaultCount,
    WatchedColumn,
    cells_of,
    faults_of,
    watched_columns,
)

MAX_LOGGED_COLUMNS, LOGGED_AT_ONCE = 10, 200
"""How many drifted columns a line names, and how many bins are in one line: some log drivers cut
lines of 16 KB."""

MOST_PER_SECOND = 500
"""How many requests of a second a worker looks at."""


class DriftMonitor:
    """Compares requests with the model's baselines. ``model``: returns None until the model is
    loaded; ``now``: seconds since the epoch."""

    def __init__(
        self,
        board: Scoreboard,
        model: Callable[[], Model | None],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._board = board
        self._model = model
        self._now = now
        self._window: DriftWindow | None = None
        self._columns: Sequence[WatchedColumn] = ()

    def open_sink(self) -> Sink[Collected | Refused]:
        return self._take

    def drifts(self) -> Iterator[tuple[str, Drift]]:
        """Yield each column's drift over the last day, where there are enough requests."""
        if window := self._known_window():
            requests = window.recent(self._now()).tolist()
            for column in self._columns:
                drift = measure(column.then, requests[column.cells])
                if drift.judged:
                    yield column.baseline.name, drift

    def cells(self) -> Iterator[Cell]:
        """Yield the requests of each column by bin since the server's start."""
        if window := self._known_window():
            yield from cells_of(self._columns, window.totals)

    def faults(self) -> Iterator[FaultCount]:
        """Yield the requests of each column by fault since the server's start."""
        if window := self._known_window():
            yield from faults_of(self._columns, window.totals)

    @property
    def score_limit(self) -> float:
        return score_limit(max(1, len(self._columns)), STREAM_LEVEL)

    def _take(self, requests: Sequence[Collected | Refused]) -> None:
        model = self._model()
        window = self._open_window(model) if model else None
        if model is None or window is None:
            return
        now = self._now()
        with window.locked():
            finished = window.open_hour(now)
            requests = requests[: window.take(now, len(requests))]
            if requests:
                window.add(now, count(requests, self._columns, model, window))
        if finished is not None:
            self._log(finished, model.version)

    def _log(self, finished: np.ndarray, version: str) -> None:
        """Log an hour's bins, for InferenceDrift.kql, which adds up those of all servers, and the
        columns that have drifted, for people. Nobody scrapes a managed endpoint's metrics."""
        cells = [
            (name, place, round(requests, 2), rows)
            for name, place, requests, rows in cells_of(self._columns, finished)
        ]
        for start in range(0, len(cells), LOGGED_AT_ONCE):
            part = cells[start : start + LOGGED_AT_ONCE]
            log.event(
                "Requests of the last hour by bin, for drift.",
                model_version=version,
                drift_bins=part,
                drift_limit=round(self.score_limit, 3),
            )
        faults = [
            (name, fault, round(requests, 2), round(of, 2))
            for name, fault, requests, of in faults_of(self._columns, finished)
        ]
        for start in range(0, len(faults), LOGGED_AT_ONCE):
            log.event(
                "Requests of the last hour whose values are missing, out of range or unseen.",
                model_version=version,
                data_faults=faults[start : start + LOGGED_AT_ONCE],
            )
        drifted = sorted(
            (
                (drift.index, name)
                for name, drift in self.drifts()
                if drift.drifted(len(self._columns), STREAM_LEVEL)
            ),
            reverse=True,
        )[:MAX_LOGGED_COLUMNS]
        if drifted:
            listing = ", ".join(f"{name} {index:.2f}" for index, name in drifted)
            log.event(f"Columns have drifted from what they were at packaging: {listing}.")

    def _known_window(self) -> DriftWindow | None:
        model = self._model()
        try:
            return self._open_window(model) if model else None
        except StartupError:  # no room for the counters: the sink logs it, /metrics goes on without
            return None

    def _open_window(self, model: Model) -> DriftWindow | None:
        """Return the window; None if the model has no baselines. Raises StartupError."""
        baselines = (*model.baselines, *model.answer_baselines)
        if self._window is None and baselines:
            self._columns = watched_columns(baselines)
            width = self._columns[-1].fault_cells.stop
            file = self._board.beside("drift", DriftWindow.size(width))
            self._window = DriftWindow(file, width)
        return self._window
