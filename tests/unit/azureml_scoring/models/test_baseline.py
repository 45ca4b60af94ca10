import json
import tracemalloc
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from azureml_scoring.models.baseline import QUANTILE_BINS, Baseline
from azureml_scoring.models.drift_rule import Drift, measure, pooled

NUMBERS = st.lists(st.floats(-1e6, 1e6) | st.none() | st.integers(-5, 5), min_size=1, max_size=200)
TEXTS = st.lists(
    st.sampled_from(["a", "b", "c"]) | st.none() | st.text(max_size=3), min_size=1, max_size=200
)


def drawn(rows: int, mean: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1, rows)


def numbers(column: Sequence[Any]) -> Baseline:
    return Baseline.of("age", column, numeric=True)


def texts(column: Sequence[Any]) -> Baseline:
    return Baseline.of("city", column, numeric=False)


def moved(baseline: Baseline, column: Sequence[Any]) -> Drift:
    return measure(pooled(baseline, baseline.counts), pooled(baseline, baseline.count(column)))


def drifted(baseline: Baseline, column: Sequence[Any]) -> bool:
    return moved(baseline, column).drifted(10, 0.001)


@given(NUMBERS)
def test_each_number_is_in_one_bin(column: list[float | None]):
    """Any number is in one bin, in the training data or not; missing values have their own."""
    baseline = numbers(column)
    assert sum(baseline.counts) == len(column)
    assert baseline.counts[-1] == column.count(None)
    assert baseline.consistent
    assert baseline.count([1e300, -1e300, 0.0, None]).sum() == 4


@given(TEXTS)
def test_each_text_is_in_one_bin(column: list[str | None]):
    """So is a text that was never seen."""
    baseline = texts(column)
    assert baseline.consistent
    assert sum(baseline.counts) == len(column)
    assert baseline.count(["never seen", None]).sum() == 2
    assert baseline.count([None])[-1] == 1


@given(st.lists(st.sampled_from([True, False, 1, 0, 1.0, 0.0, -0.0, "1", "True", None, np.nan])))
def test_a_value_has_the_same_bin_in_any_company(column: list[Any]):
    """Equal values, such as 1 and True, have texts of their own."""
    baseline = Baseline.of("x", ["1", "True", "1.0", "0"] * 50, numeric=False)
    alone = [int(baseline.places([value])[0]) for value in column]
    assert baseline.places(column).tolist() == alone


@given(NUMBERS, NUMBERS)
def test_the_same_data_have_not_moved(then: list[float | None], now: list[float | None]):
    """This holds also for a baseline that was read back from the manifest."""
    baseline = numbers(then)
    assert moved(baseline, then).index == 0
    assert moved(baseline, now).index >= 0
    assert (
        TypeAdapter(Baseline).validate_json(json.dumps(baseline.to_json()), strict=True) == baseline
    )


def test_bins_hold_equal_shares_and_reach_beyond_the_sample():
    """Outside is a bin without rows on either side, whose end tells nobody's value."""
    column = drawn(1000)
    baseline = numbers(column)
    assert baseline.counts == (0, *[1000 // QUANTILE_BINS] * QUANTILE_BINS, 0, 0)
    assert baseline.bounds[0] < column.min()
    assert baseline.bounds[-1] > column.max()
    assert not set(baseline.bounds) & set(column)


def test_a_frequent_number_has_a_bin_of_its_own():
    """Zeros among amounts, or the codes of a flag: a number beside one is another."""
    amounts = numbers([0.0] * 950 + list(np.abs(drawn(50))))
    assert sorted(amounts.counts)[-2:] == [50, 950]
    flag = numbers([0] * 970 + [1] * 30)
    assert sorted(flag.counts)[-2:] == [30, 970]
    assert [int(flag.places([value])[0]) for value in (-1, 0, 0.5, 1, 2)] == [0, 1, 2, 3, 4]


def test_a_constant_that_changes_is_drift():
    """A few rows of another value are none yet."""
    constant = numbers([1.0] * 1000)
    assert drifted(constant, [5.0] * 500)
    assert not drifted(constant, [1.0] * 999 + [5.0])


def test_the_largest_numbers_have_bounds_between_them():
    """They stand for what is missing in some data; the manifest holds no infinity."""
    baseline = numbers([1e308, 1.7e308] * 50)
    assert sorted(baseline.counts)[-2:] == [50, 50]
    assert np.isfinite(baseline.bounds).all()


def test_levels_that_were_never_there_are_drift():
    """The bins of fifty equal levels hold equal shares, and new levels are told from them."""
    levels = [f"city {place % 50}" for place in range(5000)]
    baseline = texts(levels)
    assert baseline.values == ()
    assert len(baseline.known) == 50
    assert not drifted(baseline, levels)
    assert drifted(baseline, [f"town {place % 50}" for place in range(5000)])
    assert drifted(baseline, levels[:950] + ["town 1"] * 50)


def test_what_was_never_missing_and_is_now_counts():
    """It is a rare bin, judged by itself."""
    baseline = numbers(drawn(1000))
    assert drifted(baseline, [*drawn(950, seed=1), *[None] * 50])


def test_a_level_that_becomes_frequent_is_drift():
    """From a tenth of the rows to a fifth."""
    rng = np.random.default_rng(0)
    then, now = (
        rng.choice(10, 2000, p=[first, *[(1 - first) / 9] * 9]).tolist() for first in (0.11, 0.2)
    )
    assert drifted(texts(then), now)


@pytest.mark.parametrize(
    "value", ["dear {}", "2024-{:02d}-01", "{}"], ids=["free text", "dates", "ids"]
)
def test_what_is_always_new_is_not_drift(value: str):
    """Of ids, texts and dates only missing values are judged; the manifest keeps none of them."""
    then = [value.format(n % 12 + 1 if "-01" in value else n) for n in range(1000)]
    later = [value.format(n % 12 + 1 if "-01" in value else n) for n in range(1000, 2000)]
    baseline = texts(then)
    assert baseline.values == baseline.known == ()
    assert not drifted(baseline, [text.replace("2024", "2025") for text in later])
    assert drifted(baseline, [*later, *[None] * 200])


def test_numbers_that_count_up_are_ids():
    """Later ones are always new."""
    ids = numbers(range(1000))
    assert ids.bounds == ()
    assert not drifted(ids, range(5000, 6000))


def test_a_manifest_of_an_older_version_is_judged():
    """Its levels are all that have bins, and its numbers' bins have no ends outside."""
    old = Baseline("city", (), ("a", "b"), (500, 500, 3, 0))
    assert old.consistent
    assert not drifted(old, ["a"] * 500 + ["b"] * 500)
    assert drifted(old, ["a"] * 450 + ["b"] * 450 + ["c"] * 100)
    deciles = Baseline("age", tuple(map(float, range(1, 10))), None, (*[100] * 10, 0))
    assert drifted(deciles, [0.5] * 1000)


def test_one_long_text_is_no_reason_to_run_out_of_memory():
    """A sample of documents is packaged in little more memory than it has itself."""
    column = ["a"] * 20 + ["b" * 1_000_000]
    tracemalloc.start()
    try:
        texts(column)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 3_500_000
