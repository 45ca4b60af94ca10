"""p-values against the exact sums that define them."""

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.rollout.significance import quantile_higher, rate_above, rate_higher

REQUESTS = st.integers(0, 60)


def events_of(requests: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(0, requests), st.just(requests))


@given(REQUESTS.flatmap(events_of), st.floats(0, 1))
def test_a_rate_is_held_against_a_limit_by_the_binomial_distribution(
    side: tuple[int, int], limit: float
):
    """The p-value is the probability of as many events, or more, at the limit itself."""
    events, requests = side
    share = Fraction(limit)
    exact = sum(
        comb(requests, k) * share**k * (1 - share) ** (requests - k)
        for k in range(events, requests + 1)
    )
    assert rate_above(events, requests, limit) == pytest.approx(float(exact), rel=1e-9, abs=1e-300)


@given(REQUESTS.flatmap(events_of), REQUESTS.flatmap(events_of))
def test_two_rates_are_compared_by_fishers_exact_test(new: tuple[int, int], old: tuple[int, int]):
    """The p-value is the probability of as uneven a split, or a more uneven one, by chance."""
    (events, requests), (other_events, other_requests) = new, old
    total = events + other_events
    ways = sum(
        comb(requests, k) * comb(other_requests, total - k)
        for k in range(events, min(total, requests) + 1)
    )
    exact = Fraction(ways, comb(requests + other_requests, total))
    assert rate_higher(*new, *old) == pytest.approx(float(exact), rel=1e-9)


def test_many_requests_are_no_harder():
    """A million requests on each side are judged as exactly: 1,100 errors against 1,000."""
    assert rate_higher(1100, 10**6, 1000, 10**6) == pytest.approx(0.0153165389, rel=1e-6)


def test_a_quantile_is_higher_if_more_lies_beyond_that_of_all():
    """Ten slow requests of twenty against none of twenty: once in 4,588 times by chance."""
    p_value = quantile_higher([1.0] * 10 + [9.0] * 10, [1.0] * 20, 0.7)
    assert p_value == pytest.approx(comb(20, 10) / comb(40, 10), rel=1e-9)
