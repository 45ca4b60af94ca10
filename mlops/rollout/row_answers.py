"""What a deployment answers to many rows: a hundred at a time, and fewer where one of them spoils
it for the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from mlops.endpoint import EndpointAnswer
from mlops.score_rows import ROWS

NOT_NOW = (408, 429)
"""Refusals that are no row's fault."""

CRASHED = 500


@dataclass(frozen=True)
class RowAnswer:
    """``status`` is the model's. ``predicted``: whether there is a ``prediction`` in the answer;
    null is none."""

    status: int
    predicted: bool = False
    prediction: Any = None

    @property
    def refused(self) -> bool:
        return refused(self.status)


def refused(status: int) -> bool:
    """Whether a deployment does not want what it was asked, rather than being unable to answer
    now."""
    return 400 <= status < 500 and status not in NOT_NOW


def row_answers(
    ask: Callable[[Sequence[Any]], EndpointAnswer],
    rows: Sequence[Any],
    by_row: Callable[[int], bool] = refused,
) -> Iterator[RowAnswer]:
    """One for each row. A request that is answered by a status of ``by_row`` is divided until its
    row is found."""
    for start in range(0, len(rows), ROWS):
        yield from _of_batch(ask, rows[start : start + ROWS], by_row)


def _of_batch(
    ask: Callable[[Sequence[Any]], EndpointAnswer],
    rows: Sequence[Any],
    by_row: Callable[[int], bool],
) -> Iterator[RowAnswer]:
    answer = ask(rows)
    found = predictions(answer)
    if found is not None and len(found) == len(rows):
        yield from (
            RowAnswer(answer.status, predicted=each is not None, prediction=each) for each in found
        )
    elif len(rows) > 1 and by_row(answer.status):
        half = len(rows) // 2
        yield from _of_batch(ask, rows[:half], by_row)
        yield from _of_batch(ask, rows[half:], by_row)
    else:
        yield from [RowAnswer(answer.status)] * len(rows)


def predictions(answer: EndpointAnswer) -> list[Any] | None:
    """None where it holds none."""
    try:
        found = orjson.loads(answer.body)["predictions"] if answer.status == 200 else None
    except (ValueError, TypeError, KeyError):
        return None
    return found if isinstance(found, list) else None
