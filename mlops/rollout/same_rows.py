"""Lets two deployments score the same rows: which the old one answers, and how often the new one
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
from mlops.rollout.row_answers import CRASH_STATUS, RowAnswer, refused, row_answers
from mlops.rows_request import ROWS

MAX_DEVIATIONS = 0.1
"""Numbers agree that differ by at most this many standard deviations of the old one's answers."""


REFUSAL = object()
"""Differs from every prediction."""


def answered(questions: Questions, endpoint: Endpoint, old: str, share: float) -> Questions:
    """Return the questions with only those rows that the old deployment answers.

    Raises EndpointError if these are less than ``share`` of all, or none.
    """
    score = functools.partial(questions.score, endpoint, old)
    kept, statuses = [], []
    for row, answer in zip(
        questions.rows, row_answers(score, questions.rows, _by_row), strict=True
    ):
        if answer.predicted:
            kept.append(row)
            continue
        statuses.append(answer.status)
        left = len(questions.rows) - len(statuses)
        if not left or left / len(questions.rows) < share:
            raise EndpointError(
                f"{old} does not answer {len(statuses)} of the first {len(kept) + len(statuses)} "
                f"rows that predictions are compared by ({_status_text(statuses)}); give rows that "
                f"it answers by --sample, or go on with --without {Check.PREDICTIONS}."
            )
    return replace(questions, rows=kept, left_out=questions.left_out + len(statuses))


def _status_text(statuses: Sequence[int]) -> str:
    names = (
        f"{status} without predictions" if status == 200 else str(status)
        for status in sorted(set(statuses))
    )
    return f"status {', '.join(names)}"


def _by_row(status: int) -> bool:
    """True for refusals and crashes: the old one may crash on a row that the new one was made
    for."""
    return refused(status) or status == CRASH_STATUS


def agreement(questions: Questions, endpoint: Endpoint, new: str, old: str) -> Agreement | None:
    """Compare the predictions for all rows; None if there are no rows. Raises EndpointError."""
    if not questions.rows:
        return None
    answers = list(_answers(questions, endpoint, new, old))
    of_both = [(one, other) for one, other in answers if other.predicted and not _silent(one)]
    predictions = [one.prediction if one.predicted else REFUSAL for one, _ in of_both]
    return Agreement(
        sum(agree(predictions, [other.prediction for _, other in of_both])),
        len(of_both),
        old_silent=sum(not other.predicted for _, other in answers),
        new_silent=sum(other.predicted and _silent(one) for one, other in answers),
        left_out=questions.left_out,
    )


def _answers(
    questions: Questions, endpoint: Endpoint, new: str, old: str
) -> Iterator[tuple[RowAnswer, RowAnswer]]:
    """Yield the new and the old deployment's answer for each row, by the same requests."""
    for start in range(0, len(questions.rows), ROWS):
        rows = questions.rows[start : start + ROWS]
        of_old = list(row_answers(functools.partial(questions.score, endpoint, old), rows))
        yield from zip(
            row_answers(functools.partial(questions.score, endpoint, new), rows),
            of_old,
            strict=True,
        )


def _silent(answer: RowAnswer) -> bool:
    """True if the deployment could not answer. A refusal is an answer that differs, and so is a 200
    without predictions."""
    return not answer.predicted and answer.status != 200 and not answer.refused


def agree(new: Sequence[Any], old: Sequence[Any]) -> list[bool]:
    """Tell row by row whether predictions agree: labels must be equal, numbers close. Rows of
    several numbers agree if each number does."""
    if old and all(type(value) is float for value in old):
        close = MAX_DEVIATIONS * statistics.pstdev(old)
        return [
            isinstance(one, int | float) and abs(one - other) <= close
            for one, other in zip(new, old, strict=True)
        ]
    if old and all(isinstance(row, list) and row and len(row) == len(old[0]) for row in old):
        return _agree_by_column(new, old)
    return [one == other for one, other in zip(new, old, strict=True)]


def _agree_by_column(new: Sequence[Any], old: Sequence[list[Any]]) -> list[bool]:
    width = len(old[0])
    rows = [
        one if isinstance(one, list) and len(one) == width else [REFUSAL] * width for one in new
    ]
    columns = [agree([row[n] for row in rows], [row[n] for row in old]) for n in range(width)]
    return [all(marks) for marks in zip(*columns, strict=True)]
