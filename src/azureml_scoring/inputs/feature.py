"""One column of a model's input, as the contract declares it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field, FiniteFloat

Scalar = bool | int | FiniteFloat | str

TEXT, BOOLEAN, CATEGORY, DATETIME, ANY = "str", "bool", "category", "datetime", "any"
"""Dtypes beside numpy's numbers. ``datetime`` takes ISO 8601 without a zone, and the model gets
``datetime64``; ``any`` takes every scalar, for a column of which nothing is known."""

DTYPE_PATTERN = "^(u?int(8|16|32|64)|float(16|32|64)|str|bool|category|datetime|any)$"


@dataclass(frozen=True, slots=True)
class Feature:
    """One column.

    dtype: the name of a numpy number, or one of the five above.
    missing: null is accepted.
    categories: values of the fit. If there are any, others are refused, unless ``unseen``.
    unseen: values are accepted that the fit did not have, of the categories' types.
    optional: the column may be left out, which is null in each row.
    unit: of the ``datetime64`` that the model gets.
    """

    name: str | None
    dtype: Annotated[str, Field(pattern=DTYPE_PATTERN)] = "float64"
    missing: bool = False
    categories: tuple[Scalar, ...] = ()
    unseen: bool = False
    unit: Literal["s", "ms", "us", "ns"] = "ns"
    optional: bool = False

    @property
    def numeric(self) -> bool:
        return self.dtype not in (TEXT, BOOLEAN, CATEGORY, DATETIME, ANY)

    @property
    def whole(self) -> bool:
        """True if the values are whole numbers."""
        return self.numeric and np.issubdtype(self.dtype, np.integer)


class NumberRange(NamedTuple):
    least: float
    most: float

    @classmethod
    def of(cls, feature: Feature) -> NumberRange:
        if feature.whole:
            info = np.iinfo(feature.dtype)
            return cls(info.min, info.max)
        most = float(np.finfo(feature.dtype).max)
        return cls(-most, most)
