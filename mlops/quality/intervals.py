"""Estimates from sums over blocks of rows, with intervals that hold if the rows of a block are
alike.

The variance is that of leaving out one block at a time (the jackknife: Efron and Stein, The
jackknife estimate of variance, Annals of Statistics 9, 1981). Shares have exact binomial intervals,
with as many rows as those of the blocks are worth (Korn and Graubard, Confidence intervals for
proportions with small expected number of positive counts, Survey Methodology 24, 1998).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

CONFIDENCE = 0.95
TAIL = (1 - CONFIDENCE) / 2
STANDARD_ERRORS = float(special.ndtri(1 - TAIL))
"""How far the interval of a normal variable reaches to either side."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval; NaN where the rows don't define it."""

    value: float
    low: float
    high: float


def block_sums(terms: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Sum terms, (rows, k), by block: (blocks, k)."""
    return np.stack([np.bincount(blocks, column) for column in terms.T], axis=1)


def left_out(sums: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return the statistic of all blocks but one, for each, less their mean.

    ``statistic``: sums, (..., k), to figures.
    """
    figures = statistic(sums.sum(axis=0) - sums)
    centred: np.ndarray = figures - figures.mean(axis=0)
    return centred * math.sqrt(1 - 1 / len(sums))


def smooth(sums: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]) -> Estimate:
    """Estimate a smooth function of the sums, by Student's t."""
    value = float(statistic(sums.sum(axis=0)))
    error = float(np.linalg.norm(left_out(sums, statistic)))
    reach = float(special.stdtrit(len(sums) - 1, 1 - TAIL)) * error
    return Estimate(value, value - reach, value + reach)


def share(sums: np.ndarray) -> Estimate:
    """Estimate a share. sums: (blocks, 2), events and rows."""
    sums = sums[sums[:, 1] > 0]
    events, rows = sums.sum(axis=0)
    if not rows:
        return Estimate(math.nan, math.nan, math.nan)
    value, worth = events / rows, float(len(sums))
    if 0 < value < 1 and len(sums) > 1:
        variance = float(np.sum(left_out(sums, _ratio) ** 2))
        effect = max(1.0, variance * rows / (value * (1 - value)))
        students = [special.stdtrit(n - 1, TAIL) for n in (rows, len(sums))]
        worth = rows / effect * (students[0] / students[1]) ** 2
    low, high = binomial(value * worth, worth)
    return Estimate(float(value), low, high)


def binomial(events: float, rows: float) -> tuple[float, float]:
    """Return Clopper and Pearson's interval of a share."""
    low = special.betaincinv(events, rows - events + 1, TAIL) if events > 0 else 0.0
    high = special.betaincinv(events + 1, rows - events, 1 - TAIL) if events < rows else 1.0
    return float(low), float(high)


def _ratio(sums: np.ndarray) -> np.ndarray:
    ratio: np.ndarray = sums[..., 0] / sums[..., 1]
    return ratio
