"""Rows to compare predictions by are drawn from golden rows: many, distinct, and of their kind."""

from mlops.rollout.drawn_rows import ROWS_DRAWN, drawn_rows

GOLDEN = [
    [number * 1.5, 100 + number, number % 2, "north" if number < 5 else "south", number > 3, None]
    for number in range(10)
]


def test_drawn_rows_have_the_values_and_types_of_the_golden_rows():
    """Measures lie between two of theirs; codes, texts and gaps are theirs. The golden rows come
    first, none is there twice, and it is the same at each call."""
    rows = drawn_rows(GOLDEN)
    assert rows[:10] == GOLDEN
    assert len(rows) == len(set(map(repr, rows))) == ROWS_DRAWN
    assert rows == drawn_rows(GOLDEN)
    for column, values in enumerate(zip(*rows, strict=True)):
        own = [row[column] for row in GOLDEN]
        assert {type(value) for value in values} == {type(value) for value in own}
        if column in (0, 1):
            assert min(own) <= min(values) <= max(values) <= max(own)
            assert len(set(values)) > 10 - 1
        else:
            assert set(values) == set(own)


def test_few_values_make_few_rows():
    """No row is asked twice to make it look like more evidence; texts are not made up."""
    assert len(drawn_rows([["a"], ["b"], ["c"]])) == 3
    assert len(drawn_rows([[0, "a"], [1, "b"], [0, "c"], [1, "d"]])) == 8
    assert drawn_rows([]) == []
    assert drawn_rows([[1.5]]) == [[1.5]]


def test_a_measure_with_gaps_keeps_them():
    """About as often as the golden rows have them."""
    rows = drawn_rows([[None if number < 2 else float(number)] for number in range(10)])
    assert len(rows) == ROWS_DRAWN
