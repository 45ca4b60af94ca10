"""One-sided p-values: the probability of figures as bad as these, or worse, if nothing is wrong.

All are exact, so they hold for few requests and for any distribution of latencies: a quantile is
judged by how many requests lie beyond it. scipy.stats has them too, but takes seconds to import.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special


def rate_above(events: int, requests: int, limit: float) -> float:
    """Return the p-value of: the true share of events is at most ``limit`` (binomial)."""
    return float(special.bdtrc(events - 1, requests, limit)) if events else 1.0


def rate_higher(events: int, requests: int, other_events: int, other_requests: int) -> float:
    """Return the p-value of: the true share of events is not higher than the other's (Fisher)."""
    if not events:
        return 1.0
    total = events + other_events
    as_many = np.arange(events, min(total, requests) + 1)
    logarithms = _log_choose(requests, as_many) + _log_choose(other_requests, total - as_many)
    logarithms -= _log_choose(requests + other_requests, total)
    return min(1.0, float(np.exp(special.logsumexp(logarithms))))


def _log_choose(n: int, k: ArrayLike) -> np.ndarray:
    """Return the logarithm of: in how many ways k of n can be chosen."""
    k = np.asarray(k)
    ways: np.ndarray = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    return ways


def quantile_above(values: ArrayLike, quantile: float, limit: float) -> float:
    """Return the p-value of: the true quantile is at most ``limit``."""
    values = np.asarray(values)
    return rate_above(int((values > limit).sum()), values.size, 1 - quantile)


def quantile_higher(values: ArrayLike, others: ArrayLike, quantile: float) -> float:
    """Return the p-value of: no more of the values than of the others lie beyond the quantile of
    all (the two-sample quantile test)."""
    values, others = np.asarray(values), np.asarray(others)
    if not values.size or not others.size:
        return 1.0
    beyond = np.quantile(np.concatenate([values, others]), quantile)
    return rate_higher(
        int((values > beyond).sum()), values.size, int((others > beyond).sum()), others.size
    )
