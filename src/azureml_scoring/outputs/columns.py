"""Arranges the answers of a request, one for each row, in columns of one type each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from types import NoneType
from typing import Any

import orjson

LEAST_INT64, MOST_INT64 = -(2**63), 2**63 - 1
"""Whole numbers beyond these have no type that all forms know."""


def columns_of(answers: list[Any]) -> dict[str, Sequence[Any]]:
    """Return columns by name, all as long as ``answers``, which come from JSON.

    Objects have a column for each key; lists of one length a column for each place,
    ``prediction_0``, ``prediction_1``, ...; all else is the column ``prediction``. A column holds
    booleans, int64, floats or texts, and None. Other values become texts of JSON.
    """
    columns: dict[str, Sequence[Any]] = {}
    kinds = {*map(type, answers)}
    if kinds <= {dict}:
        names = dict.fromkeys(itertools.chain.from_iterable(answers))
        columns = {name: [answer.get(name) for answer in answers] for name in names}
    elif kinds == {list} and len({*map(len, answers)}) == 1:
        places = enumerate(zip(*answers, strict=True))
        columns = {f"prediction_{place}": values for place, values in places}
    columns = columns or {"prediction": answers}
    return {name: _of_one_type(values) for name, values in columns.items()}


def _of_one_type(values: Sequence[Any]) -> Sequence[Any]:
    types = {*map(type, values)} - {NoneType}
    if types == {int, float}:
        return [None if value is None else float(value) for value in values]
    if types == {int}:
        present = values if None not in values else [value for value in values if value is not None]
        if min(present) >= LEAST_INT64 and max(present) <= MOST_INT64:
            return values
    if types in ({bool}, {float}, {str}, set()):
        return values
    return [
        value if value is None or isinstance(value, str) else orjson.dumps(value).decode()
        for value in values
    ]
