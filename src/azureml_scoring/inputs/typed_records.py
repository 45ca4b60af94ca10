"""A fast parser for records that have every column, and nothing else: by a class made from the
contract, without a dict for each record.

It reports no errors: for any other body it returns None, and payload.py parses it or says what is
wrong. A test holds the two parsers to the same values, to the last bit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from types import NoneType
from typing import Annotated, Any, Literal, Union

import msgspec
import numpy as np

from azureml_scoring.inputs.body_bounds import PIECE_BYTES
from azureml_scoring.inputs.column import BrokenRule, Column, accepted_types
from azureml_scoring.inputs.envelopes import ENVELOPES
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.number_columns import NumberColumns
from azureml_scoring.inputs.unique_keys import colons, has_keys

START = re.compile(rb'\s*(?:\{\s*"\w+"\s*:\s*)?\[\s*\{')
"""Of a body of records."""

MIN_BODY_BYTES = 1_024
"""Of smaller ones, row_plans.py is quicker."""

MAX_DEPTH = 3
"""Of ``{"data": [{"age": 1}]}``."""

MAX_COLUMNS = 64
"""msgspec compares keys in another order than the columns one by one: with 300 columns it would
take eight times as long as orjson."""

WHOLE = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""Of larger ones, those beyond 64 bits are floats to orjson."""


class TypedRecords:
    """``read(body, limits)`` -> the array of a batch, or None."""

    def __init__(
        self, names: Sequence[str], columns: Sequence[Column], numbers: NumberColumns | None
    ) -> None:
        """``names``: of the columns, by which records call them; ``numbers``: what reads all
        columns at once, if every one has numbers."""
        self._columns = columns
        self._numbers = numbers
        self._types = [
            ((float,) if numbers else _types(column.feature))
            + ((NoneType,) if column.feature.missing else ())
            for column in columns
        ]
        self._nulls = any(NoneType in types for types in self._types)
        self._parse = _parser(names, self._types)

    def read(self, body: bytes, limits: Limits) -> np.ndarray | None:
        if self._parse is None or not START.match(body) or not self._within(body, limits):
            return None
        try:
            records, keys_around = self._parse(body), 0
            if type(records) is dict:
                (records,) = records.values()
                keys_around = 1
            elements = len(records) * len(self._columns)
            if len(records) > limits.max_rows or elements > limits.max_elements:
                return None
            if not has_keys(body, keys_around + elements):  # a key is there twice
                return None
            return self._array(list(map(msgspec.structs.astuple, records)))
        except (msgspec.DecodeError, ValueError, BrokenRule):
            return None

    def _within(self, body: bytes, limits: Limits) -> bool:
        """Tell whether the objects of the body have room: its keys bound their number."""
        width = len(self._columns)
        return (
            width <= limits.max_features
            and limits.max_depth >= MAX_DEPTH
            and MIN_BODY_BYTES <= len(body) <= limits.max_bytes
            and (len(body) <= PIECE_BYTES or colons(body) <= 2 * limits.max_rows * width)
        )

    def _array(self, rows: Sequence[tuple[Any, ...]]) -> np.ndarray | None:
        if self._numbers:
            X = np.array(rows, np.float64)  # null becomes NaN
            X += 0.0  # turns -0.0 into 0.0
            return self._numbers.cast(X, nulls=self._nulls)
        columns = [
            column.read(values, types if len(types) == 1 else tuple({*map(type, values)}))
            for column, values, types in zip(
                self._columns, zip(*rows, strict=True), self._types, strict=True
            )
        ]
        return np.array(columns, object, order="F").T


def _types(feature: Feature) -> tuple[type, ...]:
    """Return the types that a column's values are parsed as, beside null."""
    if not feature.numeric:
        return tuple(accepted_types(feature))
    if feature.whole:
        return (int, float) if feature.missing else (int,)  # beside null, pandas has 3.0 for 3
    return (float,)


def _parser(
    names: Sequence[str], types: Sequence[tuple[type, ...]]
) -> Callable[[bytes], Any] | None:
    """Return a parser of bytes into instances of a class with these fields, in a list or under one
    key; None if there is none for such names."""
    if len(names) > MAX_COLUMNS:
        return None
    fields = {f"field_{place}": name for place, name in enumerate(names)}
    kinds = [Union[tuple(WHOLE if kind is int else kind for kind in of)] for of in types]  # noqa: UP007
    try:
        record = msgspec.defstruct(
            "Record",
            list(zip(fields, kinds, strict=True)),
            rename=fields,
            forbid_unknown_fields=True,
            gc=False,
        )
    except ValueError:  # a name has a quote or a backslash, or is there twice
        return None
    document = dict[Literal[tuple(ENVELOPES)], list[record]] | list[record]  # type: ignore[misc, valid-type]
    return msgspec.json.Decoder(document).decode
