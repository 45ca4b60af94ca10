"""The bins that requests are counted in: of each column of the inputs and the answers, those of its
baseline, and behind them those of values that have a fault."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from azureml_scoring.models.baseline import Baseline
from azureml_scoring.models.drift_rule import common_bins, pooled

RARE_BIN = -1
"""The number of the bin that holds what the sample has hardly any of."""

FAULTS = ("missing", "out_of_range", "unseen")
"""What is wrong with a value: there is none, the sample had none so small or so large, or the
sample had no such category."""


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


def cells_of(columns: Sequence[WatchedColumn], requests: np.ndarray) -> Iterator[Cell]:
    """Yield the requests of each column by bin."""
    counts = requests.tolist()
    for column in columns:
        now = counts[column.cells]
        places = [*range(len(now) - 1), RARE_BIN]
        for place, count, rows in zip(places, now, column.then, strict=True):
            yield Cell(column.baseline.name, place, count, int(rows))


def faults_of(columns: Sequence[WatchedColumn], requests: np.ndarray) -> Iterator[FaultCount]:
    """Yield the requests of each column by fault."""
    counts = requests.tolist()
    for column in columns:
        of = sum(counts[column.cells])
        for fault, faulty in zip(column.faults, counts[column.fault_cells], strict=True):
            yield FaultCount(column.baseline.name, fault, faulty, of)
