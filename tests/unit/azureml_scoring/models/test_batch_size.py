"""How many rows a joint batch may have."""

from hypothesis import given
from hypothesis import strategies as st

from azureml_scoring.models.batch_size import BatchSize


def settled(fixed_s: float, row_s: float, objective_s: float = 0.2) -> int:
    """Return the rows after a hundred full batches."""
    size = BatchSize(64, objective_s)
    size.add(1, fixed_s + row_s)
    for _ in range(100):
        size.add(size.rows, fixed_s + row_s * size.rows)
    return size.rows


def test_batches_are_as_large_as_allowed_if_rows_cost_nothing():
    """However slow the model is."""
    assert settled(0.05, 0.0) == 64
    assert settled(1.0, 0.0) == 64


def test_a_batch_takes_about_half_of_the_objective_at_most():
    """A request that waits for one such batch is answered with the next within the objective."""
    assert 0.06 <= 0.04 + 0.01 * settled(0.04, 0.01) <= 0.12


def test_a_slow_model_may_join_what_takes_twice_as_long():
    """Else it would answer one request at a time."""
    assert 3 <= settled(0.4, 0.1) <= 7


def test_rows_of_uneven_cost_are_not_joined():
    """One row that takes long would delay all requests of its batch."""
    size = BatchSize(64, 0.2)
    for number in range(200):
        size.add(size.rows, 0.4 if number % 10 == 0 else 0.005)
    assert size.rows == 1


def test_one_slow_batch_is_forgotten():
    """The rows grow again."""
    size = BatchSize(64, 0.2)
    for seconds in [0.05] * 30 + [5.0] + [0.05] * 60:
        size.add(size.rows, seconds)
    assert size.rows == 64


@given(st.lists(st.tuples(st.integers(1, 200), st.floats(0, 100))), st.integers(1, 64))
def test_the_rows_are_within_their_bounds(batches: list[tuple[int, float]], max_rows: int):
    """Whatever the batches take."""
    size = BatchSize(max_rows, 0.2)
    for rows, seconds in batches:
        size.add(rows, seconds)
        assert 1 <= size.rows <= max_rows
