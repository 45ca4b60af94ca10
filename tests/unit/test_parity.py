from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import support
from mlops.parity import NotProven, Parity, rows_of_all_kinds, with_gaps
from validation import Batch

ANY_SAMPLE = arrays(np.float64, st.tuples(st.integers(1, 5), st.just(2)), elements=st.floats(allow_infinity=False))


@given(ANY_SAMPLE)
def test_any_sample_gives_rows_of_all_kinds(sample: np.ndarray):
    """Constant columns, columns without a value, numbers of any size: always finite rows of the model's width."""
    kinds = dict(rows_of_all_kinds(sample, [(1, 0.5)]))
    assert len(kinds) >= 5
    for rows in kinds.values():
        assert rows.shape[1] == 2
        assert np.isfinite(rows).all()


def test_rows_lie_on_both_sides_of_each_split():
    """To the last bit."""
    rows = dict(rows_of_all_kinds(np.zeros((1, 2)), [(1, 0.5)]))["at the splits of its trees"]
    assert rows[:, 0].tolist() == [0.0] * 3
    assert sorted(rows[:, 1]) == [np.nextafter(0.5, -1), 0.5, np.nextafter(0.5, 1)]


def test_gaps_are_only_where_the_model_takes_them():
    """One a row."""
    rows = with_gaps(np.ones((3, 2)), [1])
    assert not np.isnan(rows[:, 0]).any()
    assert np.isnan(rows[:, 1]).all()


@pytest.mark.parametrize(
    ("answers", "expected", "reason"),
    [
        ([1, 0], [1, 1], "1 of 2 answers differ"),
        (["a", "b"], ["a", "c"], "1 of 2 answers differ"),
        ([[0.5, 0.5]], [[0.5, 0.50002]], "apart by"),
        ([0.5, float("nan")], [0.5, 0.5], "apart by"),
        ([[1.0]], [1.0], "another shape"),
    ],
)
def test_a_difference_is_told(answers: Any, expected: Any, reason: str):
    """Labels must be equal, numbers within the tolerance, the shape the same."""
    rows = np.zeros((len(answers), 2))
    parity = Parity(lambda batch: answers, lambda batch: expected, support.NUMBERS, ["predict"])
    with pytest.raises(NotProven, match=f"predict of a test: .*{reason}"):
        parity.check("of a test", rows)


def test_numbers_are_compared_relative_to_the_largest():
    """A millionth of a million is nothing; what was compared is counted."""

    def slightly_off(batch: Batch) -> list[float]:
        return [1e6 + 1.0] * len(batch.X)

    parity = Parity(slightly_off, lambda batch: [1e6] * len(batch.X), support.NUMBERS, ["predict"])
    parity.check("of a test", np.zeros((700, 2)))
    assert (parity.rows, parity.apart) == (700, pytest.approx(1e-6))
