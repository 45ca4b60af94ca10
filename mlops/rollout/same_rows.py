"""Asks two deployments the same rows: which of them the old one answers, and how often the new one
agrees."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from mlops.endpoint import Endpoint, EndpointError
from mlops.rollout.judge import Agreement
from mlops.rollout.plan import Check
from mlops.rollout.questions import Questions
from mlops.rollout.row_answers import CRASHED, RowAnswer, refused, row_answers
from mlops.score_rows import ROWS

CLOSE = 0.1
"""Numbers agree that differ by no more standard deviations of the old deployment's answers."""


REFUSAL = object()
"""Like no prediction."""


def answered(asked: Questions, endpoint: Endpoint, old: str, share: float) -> Questions:
    """Only the rows that the old deployment answers, for the others compare nothing.

    Raises EndpointError where these are less than ``share`` of all, or none.
    """
    score = functools.partial(asked.score, endpoint, old)
    kept, statuses = [], []
    for row, answer in zip(asked.rows, row_answers(score, asked.rows, _by_row), strict=True):
        if answer.predicted:
            kept.append(row)
            continue
        statuses.append(answer.status)
        left = len(asked.rows) - len(statuses)
        if not left or left / len(asked.rows) < share:
            raise EndpointError(
                f"{old} does not answer {len(statuses)} of the first {len(kept) + len(statuses)} "
                f"rows that predictions "
                f"are compared by ({_said(statuses)}); give rows that it answers by --sample, or "
                f"go on with "
                f"--without {Check.PREDICTIONS}."
            )
    return replace(asked, rows=kept, left_out=asked.left_out + len(statuses))


def _said(statuses: Sequence[int]) -> str:
    names = (
        f"{status} without predictions" if status == 200 else str(status)
        for status in sorted(set(statuses))
    )
    return f"status {', '.join(names)}"


def _by_row(status: int) -> bool:
    """The old deployment may crash on a row that the new one was made for."""
    return refused(status) or status == CRASHED


def agreement(asked: Questions, endpoint: Endpoint, new: str, old: str) -> Agreement | None:
    """Of the predictions for all rows; None where there are no rows. Raises EndpointError."""
    if not asked.rows:
        return None
    answers = list(_answers(asked, endpoint, new, old))
    of_both = [(one, other) for one, other in answers if other.predicted and not _silent(one)]
    given = [one.prediction if one.predicted else REFUSAL for one, _ in of_both]
    return Agreement(
        sum(agree(given, [other.prediction for _, other in of_both])),
        len(of_both),
        old_silent=sum(not other.predicted for _, other in answers),
        new_silent=sum(other.predicted and _silent(one) for one, other in answers),
        left_out=asked.left_out,
    )


def _answers(
    asked: Questions, endpoint: Endpoint, new: str, old: str
) -> Iterator[tuple[RowAnswer, RowAnswer]]:
    """The new deployment's and the old one's, for each row, by the same requests."""
    for start in range(0, len(asked.rows), ROWS):
        rows = asked.rows[start : start + ROWS]
        of_old = list(row_answers(functools.partial(asked.score, endpoint, old), rows))
        yield from zip(
            row_answers(functools.partial(asked.score, endpoint, new), rows), of_old, strict=True
        )


def _silent(answer: RowAnswer) -> bool:
    """Whether it could not answer: a refusal is an answer that differs, and so is a 200 that
    predicts nothing."""
    return not answer.predicted and answer.status != 200 and not answer.refused


def agree(given: Sequence[Any], wanted: Sequence[Any]) -> list[bool]:
    """Row by row: labels are equal, numbers close. Rows of several numbers agree where each of them
    does."""
    if wanted and all(type(value) is float for value in wanted):
        close = CLOSE * statistics.pstdev(wanted)
        return [
            isinstance(one, int | float) and abs(one - other) <= close
            for one, other in zip(given, wanted, strict=True)
        ]
    if wanted and all(
        isinstance(row, list) and row and len(row) == len(wanted[0]) for row in wanted
    ):
        return _agree_by_column(given, wanted)
    return [one == other for one, other in zip(given, wanted, strict=True)]


def _agree_by_column(given: Sequence[Any], wanted: Sequence[list[Any]]) -> list[bool]:
    width = len(wanted[0])
    rows = [
        one if isinstance(one, list) and len(one) == width else [REFUSAL] * width for one in given
    ]
    columns = [agree([row[n] for row in rows], [row[n] for row in wanted]) for n in range(width)]
    return [all(marks) for marks in zip(*columns, strict=True)]
