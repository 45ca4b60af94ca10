"""The columns of a model's answers, whose distribution is watched like that of its features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MAX_COLUMNS = 10
"""Of one method; the first classes or targets."""


def answer_columns(method: str, answers: Sequence[Any]) -> dict[str, list[Any]]:
    """Return the columns by name, such as ``predict()`` or ``predict_proba()[1]``; none where an
    answer is neither a scalar nor a list of them.

    Of two probabilities only the second is one: it tells the first.
    """
    if not answers:
        return {}
    if not isinstance(answers[0], list):
        return {f"{method}()": list(answers)}
    width = len(answers[0])
    if any(not isinstance(answer, list) or len(answer) != width for answer in answers):
        return {}
    first = 1 if width == 2 and method.endswith("proba") else 0
    return {
        f"{method}()[{place}]": [answer[place] for answer in answers]
        for place in range(first, min(width, MAX_COLUMNS))
        if not isinstance(answers[0][place], list | dict)
    }
