"""Lets a deployment score many rows: a hundred at a time, and fewer if one of them fails the
others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from mlops.endpoint import EndpointAnswer
from mlops.rows_request import ROWS

NOT_NOW_STATUSES = (408, 429)
"""Refusals that no row causes."""

CRASH_STATUS = 500


@dataclass(frozen=True)
class RowAnswer:
    """The answer to one row. ``status``: the model's. ``predicted``: whether there is a
    ``prediction``; null is none."""

    status: int
    predicted: bool = False
    prediction: Any = None

    @property
    def refused(self) -> bool:
        return refused(self.status)


def refused(status: int) -> bool:
    """True if a deployment refuses the request itself, rather than being unable to answer now."""
    return 400 <= status < 500 and status not in NOT_NOW_STATUSES


def row_answers(
    ask: Callable[[Sequence[Any]], EndpointAnswer],
    rows: Sequence[Any],
    by_row: Callable[[int], bool] = refused,
) -> Iterator[RowAnswer]:
    """Yield an answer for each row. A request whose status may be due to one row, as ``by_row``
    says, is divided until that row is alone."""
    for start in range(0, len(rows), ROWS):
        yield from _of_batch(ask, rows[start : start + ROWS], by_row)


def _of_batch(
    ask: Callable[[Sequence[Any]], EndpointAnswer],
    rows: Sequence[Any],
    by_row: Callable[[int], bool],
) -> Iterator[RowAnswer]:
    answer = ask(rows)
    values = predictions(answer)
    if values is not None and len(values) == len(rows):
        yield from (
            RowAnswer(answer.status, predicted=value is not None, prediction=value)
            for value in values
        )
    elif len(rows) > 1 and by_row(answer.status):
        half = len(rows) // 2
        yield from _of_batch(ask, rows[:half], by_row)
        yield from _of_batch(ask, rows[half:], by_row)
    else:
        yield from [RowAnswer(answer.status)] * len(rows)


def predictions(answer: EndpointAnswer) -> list[Any] | None:
    """Return the predictions in an answer, or None if it has none."""
    try:
        values = orjson.loads(answer.body)["predictions"] if answer.status == 200 else None
    except (ValueError, TypeError, KeyError):
        return None
    return values if isinstance(values, list) else None
