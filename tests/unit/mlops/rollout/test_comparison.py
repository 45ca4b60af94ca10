import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples import at_most
from mlops.rollout.agreement import Agreement
from mlops.rollout.comparison import ComparisonRow, compare, lines, too_little
from mlops.rollout.request_tally import RequestTally
from mlops.traffic_blocks import latency_bins

BLOCK_S = 300


def tally(
    seed: int, requests: int = 2000, *, slower: float = 1.0, failing: float = 0.01, blocks: int = 24
) -> RequestTally:
    """Requests in blocks of five minutes."""
    rng = np.random.default_rng(seed)
    each = np.full(blocks, requests // blocks)
    failed = rng.binomial(each, failing)
    histogram = np.zeros((blocks, 250))
    for row, n in zip(histogram, each - failed, strict=True):
        for latency in rng.lognormal(3, 0.4, n) * slower:
            row[min(latency_bins(latency), 249)] += 1
    return RequestTally(np.arange(blocks) * BLOCK_S, each, failed, 0 * each, histogram)


def rows(
    new: RequestTally, old: RequestTally, agreement: Agreement | None = None
) -> dict[str, ComparisonRow]:
    return {row.what: row for row in compare(new, old, agreement)}


def test_what_differs_is_told_with_its_interval():
    """Here a third slower and failing more."""
    found = rows(tally(21, slower=1.33, failing=0.03), tally(22))
    assert found["P95"].verdict == "higher"
    assert found["P95"].low < 0.33 * 38.8 < found["P95"].high  # the true difference
    assert found["errors"].verdict == "higher"
    assert found["errors"].low < 2.0 < found["errors"].high


def test_twins_show_no_difference():
    """The intervals contain 0."""
    found = rows(tally(23), tally(24))
    assert {row.verdict for row in found.values()} == {"no difference shown"}


def test_a_bad_quarter_of_an_hour_is_no_difference():
    """All of a tenth of the requests failed, but in three blocks in a row."""
    new = tally(5)
    outage = np.where(np.arange(24) < 3, new.requests, 0)
    assert rows(replace(new, failed=outage), tally(6))["errors"].verdict == "no difference shown"


def test_what_too_little_stands_behind_is_told():
    """Less than an hour, and bursts of errors in few blocks, are not enough."""
    hours = tally(10, failing=0.2), tally(11, failing=0.2)
    assert too_little(*hours) == []
    minutes = tally(10, failing=0.2, blocks=6), tally(11, failing=0.2, blocks=6)
    assert "less than 60 min of requests" in too_little(*minutes)[0]
    burst = replace(hours[0], failed=np.arange(24) == 3)
    rare = replace(hours[1], failed=np.zeros(24))
    assert "errors stands on 1 of 24 blocks" in too_little(burst, rare)[0]


def test_predictions_that_differ_have_an_interval_too():
    """Wilson's is never below 0, and has a length even if none of a few rows differ."""
    found = rows(tally(5), tally(6), Agreement(20, 20))["predictions that differ"]
    assert found.difference == 0
    assert found.low == pytest.approx(0, abs=1e-9)
    assert found.high > 10


@settings(deadline=None, max_examples=at_most(30))
@given(st.integers(0, 3), st.integers(0, 3))
def test_nothing_to_compare_is_no_failure(new: int, old: int):
    """It says so."""
    table = compare(tally(8, new, blocks=1), tally(9, old, blocks=1), None)
    assert all(math.isnan(row.low) or row.low <= row.high for row in table)
    assert "difference" in lines(table, "blue", "green")[0]
