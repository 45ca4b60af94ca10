"""Watches whether what clients send, and what the model answers, is like at packaging: over all
workers and a day."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import orjson

from azureml_scoring import log
from azureml_scoring.errors import MissingValue, StartupError
from azureml_scoring.models.answer_columns import answer_columns
from azureml_scoring.models.baseline import Baseline
from azureml_scoring.models.drift_rule import (
    STREAM_LEVEL,
    Drift,
    common_bins,
    measure,
    pooled,
    score_limit,
)
from azureml_scoring.models.model import Model
from azureml_scoring.request import Outcome
from azureml_scoring.shared.scoreboard import Scoreboard
from azureml_scoring.signals.data_collection import Collected, Sink, collected
from azureml_scoring.signals.drift_window import DriftWindow

MAX_LOGGED_COLUMNS, LOGGED_AT_ONCE = 10, 200
"""How many drifted columns a line names, and how many bins are in one line: some log drivers cut
lines of 16 KB."""

RARE_BIN = -1
"""The number of the bin that holds what the sample has hardly any of."""

FAULTS = ("missing", "out_of_range", "unseen")
"""What is wrong with a value: there is none, the sample had none so small or so large, or the
sample had no such category."""

MOST_PER_SECOND = 500
"""How many requests of a second a worker looks at."""


class Refused(NamedTuple):
    """A request without a value that the model needs. ``feature``: its place in the contract."""

    feature: int
    bytes_in: int


class Cell(NamedTuple):
    """A bin of a column. ``rows``: at packaging."""

    column: str
    bin: int
    requests: float
    rows: int


class FaultCount(NamedTuple):
    """Requests whose value of a column has a fault, one of FAULTS; ``of``: of so many."""

    column: str
    fault: str
    requests: float
    of: float


def watched(outcome: Outcome, at: float) -> Collected | Refused | None:
    """Return what tells of drift in a request."""
    error = outcome.error
    if isinstance(error, MissingValue) and error.feature is not None:
        return Refused(error.feature, outcome.bytes_in)
    return collected(outcome, at)


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
            yield from self._cells(window.totals)

    def faults(self) -> Iterator[FaultCount]:
        """Yield the requests of each column by fault since the server's start."""
        if window := self._known_window():
            yield from self._faults(window.totals)

    @property
    def score_limit(self) -> float:
        return score_limit(max(1, len(self._columns)), STREAM_LEVEL)

    def _cells(self, requests: np.ndarray) -> Iterator[Cell]:
        counts = requests.tolist()
        for column in self._columns:
            now = counts[column.cells]
            places = [*range(len(now) - 1), RARE_BIN]
            for place, count, rows in zip(places, now, column.then, strict=True):
                yield Cell(column.baseline.name, place, count, int(rows))

    def _faults(self, requests: np.ndarray) -> Iterator[FaultCount]:
        counts = requests.tolist()
        for column in self._columns:
            of = sum(counts[column.cells])
            for fault, faulty in zip(column.faults, counts[column.fault_cells], strict=True):
                yield FaultCount(column.baseline.name, fault, faulty, of)

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
                window.add(now, self._counts(requests, model, window))
        if finished is not None:
            self._log(finished, model.version)

    def _counts(
        self, requests: Sequence[Collected | Refused], model: Model, window: DriftWindow
    ) -> np.ndarray:
        """Count by bin. The rows of a request weigh one together, those that do not count
        nothing."""
        full = [request for request in requests if isinstance(request, Collected)]
        refused = [request for request in requests if isinstance(request, Refused)]
        counts = np.zeros(window.width)
        of_features, of_answers = np.split(np.array(self._columns, object), [len(model.baselines)])
        if full:
            lengths = [len(request.batch.X) for request in full]
            checksums = list(itertools.chain.from_iterable(map(_checksums, full)))
            weights = np.repeat(1 / np.array(lengths), lengths)
            weights *= window.first_times(checksums, model.most_row_share)
            X = np.concatenate([request.batch.X for request in full]).T
            for column, values in zip(of_features, X, strict=False):
                column.add(counts, values, weights)
            for name, answers, theirs in _answers(full, weights) if len(of_answers) else ():
                for column in of_answers:
                    if column.baseline.name == name:
                        column.add(counts, answers, theirs)
        if refused:
            # Their rows are not known; equally long bodies are taken for the same.
            checksums = [crc32(repr(request).encode()) for request in refused]
            weights = window.first_times(checksums, model.most_row_share).astype(float)
            for request, weight in zip(refused, weights, strict=True):
                if request.feature < len(of_features):
                    of_features[request.feature].add(counts, [None], np.array([weight]))
        return counts

    def _log(self, finished: np.ndarray, version: str) -> None:
        """Log an hour's bins, for InferenceDrift.kql, which adds up those of all servers, and the
        columns that have drifted, for people. Nobody scrapes a managed endpoint's metrics."""
        cells = [
            (name, place, round(requests, 2), rows)
            for name, place, requests, rows in self._cells(finished)
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
            for name, fault, requests, of in self._faults(finished)
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


@dataclass(frozen=True)
class WatchedColumn:
    """``then``: the baseline's rows by bin, the rare bins together as the last. ``cells``: the
    place of these bins among those of all columns. ``bin_of``: bin of the baseline -> one of
    them. ``fault_cells``: the places behind them, one for each of ``faults``. ``fault_of``: bin of
    the baseline -> one of ``faults``, or behind the last if there is nothing wrong."""

    baseline: Baseline
    then: Sequence[float]
    cells: slice
    bin_of: np.ndarray
    faults: Sequence[str]
    fault_cells: slice
    fault_of: np.ndarray

    def add(self, counts: np.ndarray, values: Sequence[Any], weights: np.ndarray) -> None:
        """Add values to the counts of all columns."""
        bins, faults = self.baseline.places(values), len(self.faults)
        counts[self.cells] += np.bincount(self.bin_of[bins], weights, minlength=len(self.then))
        by_fault = np.bincount(self.fault_of[bins], weights, minlength=faults + 1)
        counts[self.fault_cells] += by_fault[:faults]


def watched_columns(baselines: Sequence[Baseline]) -> Sequence[WatchedColumn]:
    columns: list[WatchedColumn] = []
    start = 0
    for baseline in baselines:
        then, common = pooled(baseline, baseline.counts), common_bins(baseline)
        bin_of = np.where(common, np.cumsum(common) - 1, common.sum())
        fault_bins = _fault_bins(baseline)
        fault_of = np.full(baseline.bins, len(fault_bins))
        for place, bins in enumerate(fault_bins.values()):
            fault_of[bins] = place
        end = start + len(then)
        behind = slice(end, end + len(fault_bins))
        columns.append(
            WatchedColumn(
                baseline, then, slice(start, end), bin_of, [*fault_bins], behind, fault_of
            )
        )
        start = behind.stop
    return columns


def _fault_bins(baseline: Baseline) -> dict[str, list[int]]:
    """Return the baseline's bins of each fault that its column can have."""
    missing, out_of_range, unseen = FAULTS
    last = baseline.bins - 1
    bins = {missing: [last]}
    if baseline.values is None:
        if outer := [place for place in {0, last - 1} if not baseline.counts[place]]:
            bins[out_of_range] = outer
    elif baseline.closed:
        bins[unseen] = [last - 1]
    return bins


def _checksums(request: Collected) -> Iterator[int]:
    X = request.batch.X
    return (crc32(orjson.dumps(row.tolist()) if X.dtype == object else row.tobytes()) for row in X)


def _answers(
    requests: Sequence[Collected], weights: np.ndarray
) -> Iterator[tuple[str, list[Any], np.ndarray]]:
    """Yield the answers by column, with their rows' weights."""
    ends = np.cumsum([len(request.batch.X) for request in requests])
    by_method: dict[str, tuple[list[Any], list[np.ndarray]]] = {}
    for request, theirs in zip(requests, np.split(weights, ends[:-1]), strict=True):
        answers, of_rows = by_method.setdefault(request.batch.method, ([], []))
        answers += orjson.loads(request.predictions)
        of_rows.append(theirs)
    for method, (answers, of_rows) in by_method.items():
        for name, column in answer_columns(method, answers).items():
            yield name, column, np.concatenate(of_rows)
