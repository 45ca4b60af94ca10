"""A transformer is only made a table where it is one, and without asking it too often."""

from typing import Any

import numpy as np
import pytest

from mlops.finite_columns import FiniteColumn
from mlops.value_tables import MAX_COLUMNS, NotByColumn, tabulate

KNOWN, OTHERS = ["a", "b"], [f"other {n}" for n in range(40)]


def column(place: int) -> FiniteColumn:
    return FiniteColumn(place, f"column {place}", list(KNOWN), list(OTHERS), [])


def one_hot(X: np.ndarray) -> np.ndarray:
    return np.hstack([np.equal(X, value) for value in KNOWN]).astype(float)


def test_a_transformer_that_reads_letters_is_no_table():
    """Values that no table can hold would have answers of their own."""
    with pytest.raises(NotByColumn, match="it tells apart values of column 0"):
        tabulate(lambda X: np.vectorize(len)(X).astype(float), [column(0)], ["a"])


def test_a_transformer_of_two_columns_together_is_no_table():
    """A table has one column's values."""
    with pytest.raises(NotByColumn, match="several columns at once"):
        tabulate(lambda X: (X[:, :1] != X[:, 1:]) * 1.0, [column(0), column(1)], ["a", "b"])


def test_a_transformer_that_refuses_others_is_asked_a_few_times():
    """One-hot encoding refuses them by default, and each question takes as long as a request."""
    asked = list[int]()

    def refusing(X: np.ndarray) -> Any:
        asked.append(len(X))
        if not np.isin(X, KNOWN).all():
            raise ValueError
        return one_hot(X)

    (table,), _ = tabulate(refusing, [column(0)], ["a"])
    assert table.other is None
    assert len(asked) < 6


def test_a_transformer_of_very_many_columns_is_no_table():
    """The time grows with the square of their number: packaging would take hours."""
    columns = [column(place) for place in range(MAX_COLUMNS + 1)]
    with pytest.raises(NotByColumn, match="columns, too many"):
        tabulate(one_hot, columns, ["a"] * len(columns))
