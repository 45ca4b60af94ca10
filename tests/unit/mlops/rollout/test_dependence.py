"""Counts of dependent requests are worth fewer."""

import numpy as np
import pytest

from mlops.rollout.dependence import BlockCounts


def test_independent_requests_are_worth_themselves():
    """The correlation within blocks is next to nothing, and so is the design effect."""
    rng = np.random.default_rng(1)
    requests = np.full(200, 100)
    counts = BlockCounts(rng.binomial(requests, 0.05), requests)
    assert counts.correlation() < 0.005
    assert counts.effective(0.0) == (counts.events.sum(), 20_000)


def test_a_block_in_which_all_have_it_is_worth_one():
    """One block of ten: one event of ten."""
    counts = BlockCounts(np.array([100] + [0] * 9), np.full(10, 100))
    assert counts.correlation() == pytest.approx(1, abs=0.01)
    assert counts.effective(counts.correlation()) == pytest.approx((1, 10), rel=0.02)


def test_the_correlation_is_that_of_which_they_were_drawn():
    """Shares that differ from block to block as a beta distribution with a correlation of 0.1."""
    rng = np.random.default_rng(2)
    requests = rng.integers(50, 150, 2000)
    shares = rng.beta(0.9, 8.1, 2000)
    assert BlockCounts(rng.binomial(requests, shares), requests).correlation() == pytest.approx(
        0.1, rel=0.1
    )


@pytest.mark.parametrize("events", [[0, 0], [5, 5], [0]])
def test_where_nothing_differs_nothing_is_correlated(events: list[int]):
    """None, all, or a single block show no dependence."""
    assert BlockCounts(np.array(events), np.full(len(events), 5)).correlation() == 0
