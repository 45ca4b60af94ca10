"""The errors of the client.

ScoreError
├── RequestRefused      4xx: the request must change
│   ├── AccessDenied    401, 403: the key or the token
│   └── TooLarge        413: one row alone is over a limit
├── ServerBusy          429 or 503, after the last try
├── ServerFailed        any other status
├── NoAnswer            no connection, or no complete answer in time
└── UnusableAnswer      a 200 without one prediction for each row
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

PLACE = re.compile(r"/input_data(?:/data)?/(\d{1,9})(?:/(.{1,200}))?", re.ASCII)
"""JSON pointer into a request made of rows: row, from 0, and column."""


@dataclass(frozen=True)
class Details:
    """What the server says of an error; None for what it does not say.

    code: the service's stable code. status: the model's own, also behind a 424. pointer: a JSON
    pointer into the request that was sent. row: in the rows given to ``score``, from 0. column: its
    position, or its name in a record.
    """

    code: str | None = None
    status: int | None = None
    pointer: str | None = None
    request_id: str | None = None
    row: int | None = None
    column: int | str | None = None

    def placed(self) -> Details:
        """Read row and column from the pointer."""
        match = PLACE.fullmatch(self.pointer or "")
        if match is None:
            return self
        row, column = match.groups()
        by_name = column is None or not re.fullmatch(r"\d{1,9}", column, re.ASCII)
        if column is not None and by_name:
            column = column.replace("~1", "/").replace("~0", "~")
        return replace(self, row=int(row), column=column if by_name else int(column))


class ScoreError(Exception):
    """There are no predictions. ``message``: one sentence."""

    def __init__(self, message: str, details: Details | None = None) -> None:
        super().__init__(message, details)
        self.message = message
        self.details = details or Details()

    def __str__(self) -> str:
        details = self.details
        place = None if details.row is None else f"in row {details.row}"
        if place is None and details.pointer is not None:
            place = f"at {details.pointer or '/'}"
        parts = [details.status and str(details.status), details.code, place]
        words = " ".join(part for part in parts if part)
        return f"{self.message} ({words})" if words else self.message

    @property
    def code(self) -> str | None:
        return self.details.code

    @property
    def status(self) -> int | None:
        return self.details.status

    @property
    def pointer(self) -> str | None:
        return self.details.pointer

    @property
    def request_id(self) -> str | None:
        return self.details.request_id

    @property
    def row(self) -> int | None:
        return self.details.row

    @property
    def column(self) -> int | str | None:
        return self.details.column

    def after(self, rows: int) -> ScoreError:
        """Return the same error of a request that starts after so many rows."""
        if self.details.row is None:
            return self
        return type(self)(self.message, replace(self.details, row=self.details.row + rows))


class RequestRefused(ScoreError):
    """The request must change before it can succeed."""


class AccessDenied(RequestRefused):
    """The server does not take the key or the token."""


class TooLarge(RequestRefused):
    """The request is over a limit of the server."""


class ServerBusy(ScoreError):
    """The server has more work than it can do; nothing was computed."""


class ServerFailed(ScoreError):
    """The model, the service or a gateway failed."""


class NoAnswer(ScoreError):
    """The server can't be reached, or has not answered in time."""


class UnusableAnswer(ScoreError):
    """The answer has not one prediction for each row."""


def error_class(status: int) -> type[ScoreError]:
    if status in (429, 503):
        return ServerBusy
    if status in (401, 403):
        return AccessDenied
    if status == 413:
        return TooLarge
    return RequestRefused if 400 <= status < 500 and status != 424 else ServerFailed
