"""Is it chance? One-sided p-values: how likely figures as bad as these are, or worse, where nothing
is wrong.

All of them are exact, so they hold for few requests and for any shape of latencies: a quantile is
judged by how many requests lie beyond it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


def rate_above(events: int, requests: int, limit: float) -> float:
    """That the true share of events is ``limit`` at most."""
    return (
        float(stats.binomtest(events, requests, limit, alternative="greater").pvalue)
        if requests
        else 1.0
    )


def rate_higher(events: int, requests: int, other_events: int, other_requests: int) -> float:
    """That the true share of events is not higher than the other's (Fisher)."""
    table = [[events, requests - events], [other_events, other_requests - other_events]]
    return float(stats.fisher_exact(table, alternative="greater").pvalue)


def quantile_above(values: ArrayLike, quantile: float, limit: float) -> float:
    """That the true quantile is ``limit`` at most."""
    values = np.asarray(values)
    return rate_above(int((values > limit).sum()), values.size, 1 - quantile)


def quantile_higher(values: ArrayLike, others: ArrayLike, quantile: float) -> float:
    """That no more of the values than of the others lie beyond the quantile of all (the two-sample
    quantile test)."""
    values, others = np.asarray(values), np.asarray(others)
    if not values.size or not others.size:
        return 1.0
    beyond = np.quantile(np.concatenate([values, others]), quantile)
    return rate_higher(
        int((values > beyond).sum()), values.size, int((others > beyond).sum()), others.size
    )
