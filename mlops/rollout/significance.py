"""How strongly counts speak against "no more than this share of the requests".

``evidence`` may be looked at as often as one likes: if nothing is wrong, it ever reaches 1000 in
one of 1000 cases at most (a mixture sequential probability ratio test: Robbins, Ann. Math. Stat.
41, 1970; for counts as here: Lindon and Malek, Anytime-valid inference for multinomial count data,
NeurIPS 2022). ``p_value`` holds for one look. Counts need not be whole: those of dependent requests
are scaled down, see dependence.py. scipy.stats would take seconds to import.
"""

from __future__ import annotations

import math

from scipy import special

WIDTH = 5
"""The mixture is over larger shares, those up to this many times ``share`` first of all."""

MAX_EXPONENT = 700


def evidence(events: float, requests: float, share: float) -> float:
    """Return the likelihood of ``events`` under a mixture of larger shares, divided by that under
    ``share``. The mixture is a beta distribution, cut off below ``share``."""
    if not events or not 0 < share < 1:
        return 1.0
    rest, spread = max(requests - events, 0.0), max(1.0, 1 / (WIDTH * share))
    above, before = (
        special.betainc(beta, alpha, 1 - share)
        for alpha, beta in ((1 + events, spread + rest), (1, spread))
    )
    if above <= 0:
        return 0.0
    exponent = (
        special.betaln(1 + events, spread + rest)
        - special.betaln(1, spread)
        + math.log(above / before)
        - events * math.log(share)
        - rest * math.log1p(-share)
    )
    return math.exp(min(exponent, MAX_EXPONENT))


def p_value(events: float, requests: float, share: float) -> float:
    """Return the probability of as many events, or more, if ``share`` is the true one
    (binomial)."""
    if not events:
        return 1.0
    return float(special.betainc(events, max(requests - events, 0.0) + 1, share))
