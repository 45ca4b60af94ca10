"""Lets two deployments score the same rows: what the old one answers is kept, and how often the new
one agrees is asked again and again."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from mlops.endpoint import Endpoint, EndpointAnswer, EndpointError, NotReached
from mlops.rollout.agreement import Agreement
from mlops.rollout.answer_scale import AnswerScale
from mlops.rollout.differing_rows import which_differ
from mlops.rollout.plan import Check
from mlops.rollout.questions import Questions, require_enough
from mlops.rollout.row_answers import CRASH_STATUS, RowAnswer, refused, row_answers
from mlops.rows_request import ROWS

PARTS = 20
"""After the first time, so many looks ask all rows once."""


class SameRows:
    """What two deployments answer to the rows of ``questions``.

    The old one is asked twice, before anything changes: a model that differs from itself is judged
    by that. The new one is asked all rows, and at further looks a part of them, and those that it
    has not answered.
    """

    def __init__(self, questions: Questions, endpoint: Endpoint, new: str, old: str) -> None:
        self._questions = questions
        self._endpoint = endpoint
        self._new = new
        self._old = old
        self._expected: list[RowAnswer] = []
        self._unstable = 0
        self._alike: list[bool | None] = []
        self._next = 0

    def ask_old(self, agreement: float = 0.0) -> None:
        """Keep the old one's answers. ``agreement``: the share of rows that must agree.

        Raises EndpointError if it answers less than this share, or too few to prove it.
        """
        rows, kept = self._questions.rows, []
        statuses: list[int] = []
        for row, answer in zip(rows, self._ask(self._old, rows), strict=True):
            if answer.predicted:
                kept.append(row)
                self._expected.append(answer)
                continue
            statuses.append(answer.status)
            left = len(rows) - len(statuses)
            if agreement and left / len(rows) < agreement:
                self._refuse(len(kept) + len(statuses), statuses)
        left_out = self._questions.left_out + len(statuses)
        self._questions = replace(self._questions, rows=kept, left_out=left_out)
        self._alike = [None] * len(kept)
        self._scale = AnswerScale([answer.prediction for answer in self._expected])
        if agreement:
            require_enough(self._questions, agreement)
        again = self._ask(self._old, kept)
        self._unstable = sum(
            two.predicted and not self._scale.alike(two.prediction, one.prediction)
            for one, two in zip(self._expected, again, strict=True)
        )

    def look(self) -> Agreement:
        """Ask the new one, and return how often it agrees by its last answer to each row."""
        due = self._due()
        rows = self._questions.rows
        for place, answer in zip(
            due, self._ask(self._new, [rows[place] for place in due]), strict=True
        ):
            self._alike[place] = None if _silent(answer) else self._is_alike(place, answer)
        answered = [place for place, alike in enumerate(self._alike) if alike is not None]
        return Agreement(
            same=sum(alike is True for alike in self._alike),
            rows=len(answered),
            silent=len(self._alike) - len(answered),
            left_out=self._questions.left_out,
            unstable=self._unstable,
            where=which_differ(
                [rows[place] for place in answered],
                self._questions.columns,
                [self._alike[place] is False for place in answered],
            ),
        )

    def _is_alike(self, place: int, answer: RowAnswer) -> bool:
        """A refusal is an answer that differs, and so is a 200 without a prediction."""
        return answer.predicted and self._scale.alike(
            answer.prediction, self._expected[place].prediction
        )

    def _due(self) -> list[int]:
        """Return the places of the rows without an answer, and of the next part of the others."""
        count = len(self._alike)
        size = max(ROWS, -(-count // PARTS))
        part = {(self._next + offset) % count for offset in range(min(size, count))}
        self._next = (self._next + size) % max(count, 1)
        return [p for p, alike in enumerate(self._alike) if alike is None or p in part]

    def _ask(self, deployment: str, rows: Sequence[list[object]]) -> Iterator[RowAnswer]:
        by_row = _by_row if deployment == self._old else refused
        return row_answers(functools.partial(self._score, deployment), rows, by_row)

    def _score(self, deployment: str, rows: Sequence[list[object]]) -> EndpointAnswer:
        try:
            return self._questions.score(self._endpoint, deployment, rows)
        except NotReached:
            if deployment == self._old:
                raise
            return EndpointAnswer(0, b"", 0.0)

    def _refuse(self, asked: int, statuses: Sequence[int]) -> None:
        raise EndpointError(
            f"{self._old} does not answer {len(statuses)} of the first {asked} "
            f"rows that predictions are compared by ({_status_text(statuses)}); give rows that "
            f"it answers by --sample, or go on with --without {Check.PREDICTIONS}."
        )


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


def _silent(answer: RowAnswer) -> bool:
    """True if the deployment could not answer."""
    return not answer.predicted and answer.status != 200 and not answer.refused
