"""Evidence and p-values against the integrals and sums that define them."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from examples import at_most
from mlops.rollout.significance import WIDTH, evidence, p_value

REQUESTS = st.integers(1, 60)


def events_of(requests: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(0, requests), st.just(requests))


@given(REQUESTS.flatmap(events_of), st.floats(0.001, 0.999))
def test_a_p_value_is_that_of_the_binomial_distribution(side: tuple[int, int], limit: float):
    """The probability of as many events, or more, at the limit itself."""
    events, requests = side
    share = Fraction(limit)
    exact = sum(
        comb(requests, k) * share**k * (1 - share) ** (requests - k)
        for k in range(events, requests + 1)
    )
    assert p_value(events, requests, limit) == pytest.approx(float(exact), rel=1e-6)


@settings(max_examples=at_most(25), deadline=None)
@given(REQUESTS.flatmap(events_of), st.floats(0.01, 0.6))
def test_evidence_is_the_likelihood_under_a_mixture_of_larger_shares(
    side: tuple[int, int], share: float
):
    """Divided by that under the share itself."""
    events, requests = side
    prior = stats.beta(1, max(1, 1 / (WIDTH * share)))

    def weighed(larger: float) -> float:
        against = stats.binom.logpmf(events, requests, larger)
        return float(np.exp(against - stats.binom.logpmf(events, requests, share))) * float(
            prior.pdf(larger)
        )

    mixed = integrate.quad(weighed, share, 1, limit=200)[0] / prior.sf(share)
    expected = mixed if events else 1.0
    assert evidence(events, requests, share) == pytest.approx(expected, rel=1e-4, abs=1e-9)


def test_looking_often_finds_nothing_where_nothing_is():
    """Evidence of 1 in 20 is seen in one of twenty streams at most, though each of a thousand
    requests is looked at."""
    rng = np.random.default_rng(1)
    found = 0
    for _ in range(200):
        counts = np.cumsum(rng.random(1000) < 0.05)
        found += any(evidence(counts[n - 1], n, 0.05) >= 20 for n in range(10, 1001, 10))
    assert found <= 10
