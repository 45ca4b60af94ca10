"""A request for some rows of a file, which knows where in the file they stand."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

ROWS = 100
"""The service's own limit, SCORING_MAX_BATCH_SIZE, by default."""


@dataclass(frozen=True)
class RowsRequest:
    """A request for some rows of a file.

    ``body``: the request's bytes, for ``count`` rows. ``first``: the number of its first row in the
    file, from 1, if it has one. ``lines``: the line of each row in the file, if it has lines.
    ``mixed``: the separately parsed cells of each column that is sent as text but holds other
    values too.
    """

    body: bytes
    first: int | None
    count: int
    lines: Sequence[int] = ()
    mixed: Mapping[int, Sequence[Any]] = field(default_factory=dict)

    def place(self, row: int) -> str | None:
        """Name the place of a row of the body, counted from 0, in the file; None if it has none."""
        if self.first is None or row >= self.count:
            return None
        line = f", line {self.lines[row]}" if self.lines else ""
        return f"row {self.first + row}{line} of the file"

    def with_mixed(self, columns: Collection[int]) -> bytes:
        """Return the body with the ``mixed`` cells of those columns."""
        if not columns:
            return self.body
        document = orjson.loads(self.body)
        rows = document["input_data"]
        for column in columns:
            for row, value in zip(
                rows["data"] if isinstance(rows, dict) else rows, self.mixed[column], strict=True
            ):
                row[column] = value
        return orjson.dumps(document)
