"""The error for rows without predictions, made of what the server answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from mlops.plain_text import one_line

ROW = re.compile(r"/input_data(?:/data)?/(\d{1,9})(?:/(\d{1,9}))?", re.ASCII)
"""Location of an error in a request made of a file's rows: row and column, counted from 0."""


class ScoreRefused(Exception):
    """There are no predictions. The message is one sentence that says why, and what to do.

    ``code`` is the error's code; ``row`` and ``column`` are its place in the request. Each is None
    if the server does not give it.
    """

    def __init__(
        self,
        message: str,
        code: str | None = None,
        row: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.row = row
        self.column = column


def refusal_of(
    document: dict[str, Any], status: int, place: Callable[[int], str | None]
) -> ScoreRefused:
    """Turn an error of the service into an exception.

    ``document`` is the service's answer; ``place`` is as in ``ScoreClient.score``.
    """
    error, code, location = (_text(document, key) for key in ("error", "code", "location"))
    match = ROW.fullmatch(location or "")
    row, column = (
        (None if part is None else int(part) for part in match.groups()) if match else (None, None)
    )
    words = None if row is None else place(row)
    places = [str(status), code, f"in {words}" if words else None]
    if location is not None and words is None:
        places.append(f"at {location or '/'}")
    return ScoreRefused(f"{error} ({' '.join(filter(None, places))})", code, row, column)


def _text(document: dict[str, Any], key: str) -> str | None:
    value = document.get(key)
    return one_line(value) if isinstance(value, str) else None
