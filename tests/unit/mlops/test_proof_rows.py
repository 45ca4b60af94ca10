import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from mlops.proof_rows import as_accepted, huge_rows, row_sets, rows_with_gaps

ANY_SAMPLE = arrays(
    np.float64, st.tuples(st.integers(1, 5), st.just(2)), elements=st.floats(allow_infinity=False)
)
CODES = np.array([[3.0, 1.0], [5.0, 2.0], [9.0, 4.0]])


@given(ANY_SAMPLE)
def test_any_sample_gives_rows_of_all_kinds(sample: np.ndarray):
    """Constant columns, columns without a value, numbers of any size: always finite rows of the
    model's width."""
    kinds = dict([*row_sets(sample, [(1, 0.5)]), huge_rows(sample, 1e100)])
    assert len(kinds) >= 7
    for rows in kinds.values():
        assert rows.shape[1] == 2
        assert np.isfinite(rows).all()


def test_rows_lie_on_both_sides_of_each_split():
    """They lie one bit away from it."""
    rows = dict(row_sets(np.zeros((1, 2)), [(1, 0.5)]))["at the splits of its trees"]
    assert rows[:, 0].tolist() == [0.0] * 3
    assert sorted(rows[:, 1]) == [np.nextafter(0.5, -1), 0.5, np.nextafter(0.5, 1)]


def test_a_split_of_what_is_not_the_models_own_feature_is_passed_over():
    """Trees behind a transformer may have more features than the model."""
    rows = dict(row_sets(np.zeros((1, 2)), [(7, 0.5), (1, 0.5)]))["at the splits of its trees"]
    assert len(rows) == 3


@pytest.mark.parametrize(
    "value",
    [4.0, 7.0, 3.25, 3.7, np.nextafter(3.0, 4.0), 2.0, 10.0, -3.0, -1.0, 0.0, 1e-300, 2.0**31],
)
def test_codes_that_the_sample_lacks_are_tried_alone_and_together(value: float):
    """They lie between its codes, beside them and around a cast, in rows that are the sample's
    otherwise and in others."""
    rows = dict(row_sets(CODES, []))["with values unlike the sample's"]
    here = rows[rows[:, 0] == value]
    known = np.isin(here[:, 1], CODES[:, 1])
    assert known.any()
    assert not known.all()


def test_huge_numbers_are_tried_alone_and_together():
    """Either side of zero, and up to the last."""
    _, rows = huge_rows(CODES, 1e30)
    large = np.abs(rows) > 1e14
    assert (rows.max(), rows.min()) == (1e30, -1e30)
    assert {1, 2} == set(large.sum(axis=1))


def test_gaps_are_only_where_the_model_takes_them():
    """One a row, several, and all."""
    rows = rows_with_gaps(np.ones((3, 3)), [1, 2])
    assert not np.isnan(rows[:, 0]).any()
    assert set(np.isnan(rows).sum(axis=1)) == {1, 2}


def test_a_wide_sample_gives_fewer_rows():
    """The proof's work has a bound."""
    kinds = dict(row_sets(np.zeros((2, 5_000)), []))
    assert len(kinds["within the sample's range"]) == 200


def test_rows_are_such_as_a_request_can_hold():
    """Whole numbers where the model takes no others, as large as its numbers can be."""
    contract = Contract(
        (Feature("a", "int64"), Feature("b", "float32"), Feature("c", "int8")), ("predict",)
    )
    rows = as_accepted(np.array([[0.6, 1e60, 700.0], [1e300, 0.6, -700.0]]), contract)
    assert rows[0].tolist() == [1.0, float(np.finfo(np.float32).max), 127.0]
    assert rows[1, 0] < 2**63
    whole = as_accepted(
        np.array([[1e300], [-1e300]]), Contract((Feature("a", "int64"),), ("predict",))
    )
    assert whole.dtype == np.int64
    assert (whole[0] > 0, whole[1] < 0) == (True, True)
