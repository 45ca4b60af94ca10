"""Draws rows like a model's golden rows, to compare predictions by where no sample is given: a
handful of rows decides nothing."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

ROWS_DRAWN = 1_000
"""Enough to accept 2 % of differing predictions, where 5 % are allowed, in nearly all cases."""

MIN_DISTINCT_SHARE = 0.8
"""A column of numbers in which more than this share of the rows differ is a measure: any number
between two of its values will do. Otherwise its values may be codes."""


def drawn_rows(golden: Sequence[Sequence[Any]], seed: int = 0) -> list[list[Any]]:
    """Return the golden rows, followed by rows that no other equals. Each column is drawn by itself
    from the golden rows' values, as those were from the sample's; few values make fewer rows."""
    if not golden:
        return []
    rng = random.Random(seed)  # noqa: S311
    draws = [_draw(column, rng) for column in zip(*golden, strict=True)]
    rows = {_key(row): list(row) for row in golden}
    for _ in range(ROWS_DRAWN * 2):
        row = [draw() for draw in draws]
        rows.setdefault(_key(row), row)
        if len(rows) >= ROWS_DRAWN:
            break
    return list(rows.values())


def _key(row: Sequence[Any]) -> str:
    return repr(list(row))


def _draw(column: Sequence[Any], rng: random.Random) -> Callable[[], Any]:
    numbers = sorted(
        value for value in column if isinstance(value, int | float) and not isinstance(value, bool)
    )
    present = [value for value in column if value is not None]
    distinct = len(set(numbers))
    if len(numbers) < len(present) or distinct <= max(1, MIN_DISTINCT_SHARE * len(present)):
        return lambda: rng.choice(column)
    whole = all(isinstance(value, int) for value in numbers)

    def between() -> Any:
        if rng.random() * len(column) >= len(numbers):
            return None
        place = rng.randrange(len(numbers) - 1)
        low, high = numbers[place : place + 2]
        return rng.randint(int(low), int(high)) if whole else rng.uniform(low, high)

    return between
