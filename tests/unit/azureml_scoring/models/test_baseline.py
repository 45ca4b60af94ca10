import json
import tracemalloc
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from azureml_scoring.models.baseline import (
    DRIFTED_PSI,
    MAX_BINS,
    MIN_JUDGED_ROWS,
    WATCH_PSI,
    Baseline,
)

NUMBERS = st.lists(st.floats(-1e6, 1e6) | st.none() | st.integers(-5, 5), min_size=1, max_size=200)
TEXTS = st.lists(
    st.sampled_from(["a", "b", "c"]) | st.none() | st.text(max_size=3), min_size=1, max_size=200
)


def drawn(rows: int, mean: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1, rows)


def numbers(column: Sequence[Any]) -> Baseline:
    return Baseline.of("age", column, numeric=True)


@given(NUMBERS)
def test_each_number_is_in_one_bin(column: list[float | None]):
    """Any number is in one bin, in the training data or not; missing values have their own."""
    baseline = numbers(column)
    assert sum(baseline.counts) == len(column)
    assert baseline.counts[-1] == column.count(None)
    assert baseline.bins <= MAX_BINS + 2
    assert baseline.count([1e300, -1e300, 0.0, None]).sum() == 4


@given(TEXTS)
def test_each_text_is_in_one_bin(column: list[str | None]):
    """Texts that were never seen are counted among the others."""
    baseline = Baseline.of("city", column, numeric=False)
    assert sum(baseline.counts) == len(column)
    assert baseline.count(["never seen", None]).tolist()[-2:] == [1, 1]


@given(NUMBERS, NUMBERS)
def test_the_index_is_never_below_nothing(then: list[float | None], now: list[float | None]):
    """It is 0 if nothing has moved, also after it was read back from the manifest."""
    baseline = numbers(then)
    assert baseline.psi(np.array(baseline.counts)) == 0
    assert baseline.psi(baseline.count(now)) >= -1e-12
    assert (
        TypeAdapter(Baseline).validate_json(json.dumps(baseline.to_json()), strict=True) == baseline
    )


def test_chance_is_stable_and_a_shift_is_drift():
    """MIN_JUDGED_ROWS are enough to tell a shift from chance."""
    baseline = numbers(drawn(5000))
    assert baseline.psi(baseline.count(drawn(MIN_JUDGED_ROWS, seed=1))) < WATCH_PSI
    assert baseline.psi(baseline.count(drawn(MIN_JUDGED_ROWS, mean=1.0, seed=1))) > DRIFTED_PSI


def test_the_index_is_that_of_the_textbook():
    """Two bins: (0.7 - 0.5) ln(0.7 / 0.5) + (0.3 - 0.5) ln(0.3 / 0.5)."""
    baseline = numbers([0.0] * 50 + [1.0] * 50)
    assert baseline.bounds == (0.5,)
    expected = 0.2 * np.log(1.4) - 0.2 * np.log(0.6)
    assert baseline.psi(baseline.count([0.0] * 70 + [1.0] * 30)) == pytest.approx(expected)


def test_the_largest_numbers_have_bounds_between_them():
    """They stand for what is missing in some data; the manifest holds no infinity."""
    assert numbers([1e308, 1.7e308] * 50).counts == (50, 50, 0)


def test_what_was_never_missing_and_is_now_counts():
    """A new category counts too."""
    baseline = numbers(drawn(1000))
    assert baseline.psi(baseline.count([*drawn(500, seed=1), *[None] * 500])) > DRIFTED_PSI
    cities = Baseline.of("city", ["a"] * 500 + ["b"] * 500, numeric=False)
    assert cities.values == ("a", "b")
    assert cities.psi(cities.count(["a"] * 400 + ["b"] * 400 + ["c"] * 200)) > DRIFTED_PSI


def test_free_texts_are_not_kept():
    """They would be in the manifest, and say nothing."""
    assert Baseline.of("note", [f"dear {n}" for n in range(1000)], numeric=False).values == ()


def test_one_long_text_is_no_reason_to_run_out_of_memory():
    """A sample of documents is packaged in little more memory than it has itself."""
    column = ["a"] * 20 + ["b" * 1_000_000]
    tracemalloc.start()
    try:
        Baseline.of("document", column, numeric=False)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2_000_000
