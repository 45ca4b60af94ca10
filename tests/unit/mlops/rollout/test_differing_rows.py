"""Rows that differ are named, and the part of the data where they are concentrated."""

import numpy as np
import pytest

from mlops.rollout.differing_rows import which_differ

COLUMNS = ["region", "age", "code"]


def rows(rng: np.random.Generator, count: int = 1000) -> list[list[object]]:
    return [
        [str(rng.choice(["north", "south", "east"])), float(rng.uniform(18, 80)), f"id-{place}"]
        for place in range(count)
    ]


@pytest.mark.parametrize("number", range(5))
def test_a_part_that_is_wrong_is_named(number: int):
    """A text, a range of numbers or a gap, by the column's name, with the counts in it and
    outside."""
    rng = np.random.default_rng(number)
    asked = rows(rng)
    north = [row[0] == "north" and rng.random() < 0.3 for row in asked]
    assert "; mostly where region = north (" in which_differ(asked, COLUMNS, north)
    old = [bool(float(str(row[1])) > 70) for row in asked]
    assert "; mostly where age > 6" in which_differ(asked, COLUMNS, old)
    for row in asked[:20]:
        row[0] = None
    gaps = [row[0] is None for row in asked]
    text = which_differ(asked, None, gaps)
    assert text == (
        "rows 1, 2, 3, 4, 5, ... of those asked; mostly where column 1 is missing "
        "(20 of 20 rows, 0 of 980 others)"
    )


def test_chance_names_no_part():
    """In one of a hundred samples at most, whatever the number of columns."""
    rng = np.random.default_rng(0)
    named = 0
    for _ in range(200):
        asked = [list(rng.normal(size=10)) for _ in range(200)]
        named += "mostly" in which_differ(asked, None, list(rng.random(200) < 0.1))
    assert named <= 6


def test_rows_that_all_agree_are_not_named():
    """Neither is a part, if all rows differ."""
    assert which_differ([[1], [2]], None, [False, False]) == ""
    assert which_differ([], None, []) == ""
    assert which_differ([[1], [2]], None, [True, True]) == "rows 1, 2 of those asked"
