import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples import at_most
from mlops.rollout.comparison import ComparisonRow, compare, lines
from mlops.rollout.judge import Agreement
from mlops.rollout.request_tally import RequestTally


def tally(seed: int, requests: int = 2000, *, slower: float = 1.0, failed: int = 0) -> RequestTally:
    latencies = np.random.default_rng(seed).lognormal(3, 0.4, requests) * slower
    return RequestTally(requests, failed, 0, latencies[failed:])


def rows(
    new: RequestTally, old: RequestTally, agreement: Agreement | None = None
) -> dict[str, ComparisonRow]:
    return {row.what: row for row in compare(new, old, agreement)}


def test_what_differs_is_told_with_its_interval():
    """Here a third slower and failing more."""
    found = rows(tally(1, slower=1.33, failed=60), tally(2, failed=20))
    assert found["P95"].verdict == "higher"
    assert found["P95"].low < 0.33 * 38.8 < found["P95"].high  # the true difference
    assert found["errors"].verdict == "higher"
    assert found["errors"].low < 2.0 < found["errors"].high


def test_twins_show_no_difference():
    """The intervals contain 0."""
    found = rows(tally(3), tally(4))
    assert {row.verdict for row in found.values()} == {"no difference shown"}


def test_predictions_that_differ_have_an_interval_too():
    """Wilson's is never below 0, and has a length even if none of a few rows differ."""
    found = rows(tally(5), tally(6), Agreement(20, 20))["predictions that differ"]
    assert found.difference == 0
    assert found.low == pytest.approx(0, abs=1e-9)
    assert found.high > 10


def test_the_interval_holds_the_true_difference_as_often_as_it_says():
    """It does in 95 of 100 cases, as far as 200 trials can show."""
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(200):
        new, old = (
            RequestTally(400, int(rng.binomial(400, rate)), 0, np.array([]))
            for rate in (0.05, 0.03)
        )
        row = rows(new, old)["errors"]
        held += row.low <= 2.0 <= row.high
    assert held >= 180


@settings(deadline=None, max_examples=at_most(30))
@given(st.integers(0, 3), st.integers(0, 3))
def test_nothing_to_compare_is_no_failure(new: int, old: int):
    """It says so."""
    table = compare(tally(8, new), tally(9, old), None)
    assert all(math.isnan(row.low) or row.low <= row.high for row in table)
    assert "difference" in lines(table, "blue", "green")[0]
