"""Decides whether a column has drifted: its data must have moved by more than chance moves it, and
far enough to matter.

How far: the population stability index, PSI = Σ (a - e) ln(a / e) over the bins, ``e`` being a
bin's share in the baseline and ``a`` its share now, minus what chance alone adds: with ``m`` rows
then and ``n`` now, (bins - 1)(1/m + 1/n) in the mean.

Chance: PSI / (1/m + 1/n) is a chi-squared variable if nothing has moved; Wilson and Hilferty's cube
root makes it a standard score. Bins that the baseline has hardly any rows in are one bin, judged by
the difference of square roots of two Poisson counts. Both are simple enough for a query, so that
Prometheus and Log Analytics judge the sums over all servers by the same rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from azureml_scoring.models.baseline import Baseline

MIN_DRIFT = 0.02
"""PSI beyond chance; a shift of the mean by 0.15 standard deviations gives as much."""

MIN_JUDGED_ROWS = 500

MIN_COMMON_SHARE, MIN_COMMON_ROWS = 0.02, 10
"""A bin with less in the baseline is rare: too little for the chi-squared approximation."""

FILE_LEVEL, STREAM_LEVEL = 0.01, 0.001
"""The chance that any column of data without drift is found drifted: once, and at each look at a
stream, which is looked at again and again."""

TESTS = 2
"""Of a column: its common bins, and its rare ones."""


@dataclass(frozen=True)
class Drift:
    """How far a column has moved. ``index``: PSI beyond chance; ``score``: of a standard normal
    variable, the larger of the two tests'; ``rows``: those judged."""

    index: float
    score: float
    rows: float

    @property
    def judged(self) -> bool:
        return self.rows >= MIN_JUDGED_ROWS

    def chance(self, columns: int) -> float:
        """Return the p-value, corrected for so many columns."""
        return min(1.0, columns * TESTS * math.erfc(self.score / math.sqrt(2)) / 2)

    def drifted(self, columns: int, level: float) -> bool:
        return self.judged and self.index > MIN_DRIFT and self.score > score_limit(columns, level)


def score_limit(columns: int, level: float) -> float:
    """Return the score that without drift any of the columns exceeds with probability ``level``."""
    return NormalDist().inv_cdf(1 - level / (TESTS * columns))


def common_bins(baseline: Baseline) -> np.ndarray:
    """Return for each bin whether it is common in the baseline."""
    counts = np.array(baseline.counts)
    common: np.ndarray = counts >= max(MIN_COMMON_SHARE * counts.sum(), MIN_COMMON_ROWS)
    return common


def pooled(baseline: Baseline, counts: Sequence[float] | np.ndarray) -> list[float]:
    """Return the counts of the common bins, and the sum of all rare ones as the last."""
    common, counts = common_bins(baseline), np.asarray(counts, float)
    return [*counts[common].tolist(), float(counts[~common].sum())]


def measure(then: Sequence[float], now: Sequence[float]) -> Drift:
    """Compare pooled counts with the baseline's."""
    then_rows, now_rows = sum(then), sum(now)
    if not (then_rows and now_rows):
        return Drift(0.0, 0.0, now_rows)
    freedom = max(len(then) - 2, 0)
    index = _psi(then, now) - freedom * (1 / then_rows + 1 / now_rows)
    ratio = now_rows / then_rows
    rare = 2 * (math.sqrt(now[-1]) - math.sqrt((then[-1] + 2) * ratio)) / math.sqrt(1 + ratio)
    return Drift(max(index, 0.0), max(_moved(then[:-1], now[:-1], freedom), rare), now_rows)


def _moved(then: Sequence[float], now: Sequence[float], freedom: int) -> float:
    if freedom == 0 or sum(now) == 0:
        return 0.0
    statistic = _psi(then, now) / (1 / sum(then) + 1 / sum(now))
    width = 2 / (9 * freedom)
    return float((math.cbrt(statistic / freedom) - (1 - width)) / math.sqrt(width))


def _psi(then: Sequence[float], now: Sequence[float]) -> float:
    """An empty bin counts as half a row in the logarithm, which a share of zero has not."""
    expected, actual = sum(then), sum(now)
    return max(
        0.0,
        math.fsum(
            (a / actual - e / expected) * math.log(max(a, 0.5) * expected / (max(e, 0.5) * actual))
            for e, a in zip(then, now, strict=True)
        ),
    )
