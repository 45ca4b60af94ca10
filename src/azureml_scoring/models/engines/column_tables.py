"""What turns the columns of a mixed table into floats: a file of a packaged model, as JSON.

Encoders of texts, categories and booleans are functions of one column's value, and know few
values. So packaging asks the fitted encoders for each of them, and keeps the answers as a table
(docs/adr/0015).
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import orjson
from pydantic import ConfigDict, Field, FiniteFloat, TypeAdapter, ValidationError, with_config

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.feature import Scalar
from azureml_scoring.models.engines.text_sums import TextEncoder, TextSums

Place = Annotated[int, Field(ge=0)]


def is_missing(value: Any) -> bool:
    """Tell whether a value of a batch stands for none: None or NaN."""
    return value is None or value != value  # noqa: PLR0124 only NaN differs from itself


@dataclass(frozen=True)
class Number:
    """A column that goes on as a number. ``fill`` replaces a missing one; None: it stays NaN."""

    column: Place
    fill: FiniteFloat | None = None


@dataclass(frozen=True)
class ValueTable:
    """The floats for each value of one column.

    values: those that are known, and ``groups``: for each the group that it belongs to.
    other, missing: the group of all other values, and of missing ones; None where the estimator
        refuses them.
    width: the floats of a group.
    cells: group, place and float, of all that are not zero; None is NaN.
    """

    column: Place
    values: tuple[Scalar, ...]
    groups: tuple[Place, ...]
    other: Place | None
    missing: Place | None
    width: Place
    cells: tuple[tuple[Place, Place, FiniteFloat | None], ...]

    def floats(self) -> np.ndarray:
        """Return the floats: (groups, width)."""
        count = 1 + max(
            place for place in (*self.groups, self.other, self.missing) if place is not None
        )
        floats = np.zeros((count, self.width))
        for group, place, value in self.cells:
            floats[group, place] = np.nan if value is None else value
        return floats


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True)
class ColumnTables:
    """All columns. The floats are, in this order: the numbers; 1 or 0 for each column of ``gaps``,
    if its value is missing or not; the floats of each table; and the sums of each column of
    texts."""

    numbers: tuple[Number, ...]
    gaps: tuple[Place, ...]
    tables: tuple[ValueTable, ...]
    texts: tuple[TextSums, ...] = ()

    @property
    def width(self) -> int:
        """The number of floats for a row."""
        widths = [each.width for each in self.tables] + [each.width for each in self.texts]
        return len(self.numbers) + len(self.gaps) + sum(widths)

    def to_bytes(self) -> bytes:
        return orjson.dumps(dataclasses.asdict(self))

    @classmethod
    def of(cls, file: bytes, name: str) -> ColumnTables:
        """Read the file. Raises StartupError."""
        try:
            tables: ColumnTables = TypeAdapter(cls).validate_json(file, strict=True)
            for table in tables.tables:
                if len(table.values) != len(table.groups):
                    raise ValueError
                table.floats()
            for text in tables.texts:
                TextEncoder(text)
        except (ValidationError, ValueError, IndexError, re.error) as error:
            raise StartupError(
                f"{name} is damaged ({type(error).__name__}); package the model again with "
                f"`mlops package`."
            ) from None
        return tables
