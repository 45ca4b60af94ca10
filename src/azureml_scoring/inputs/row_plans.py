"""A fast parser for small bodies of rows or records with mixed columns: by a plan for each
combination of columns and types, from bytes into one array.

It reports no errors: for any other body it returns None, and payload.py parses it or says what is
wrong. A test holds the two parsers to the same values, to the last bit.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson

from azureml_scoring.inputs.batch import InputRow
from azureml_scoring.inputs.column import BrokenRule, Column
from azureml_scoring.inputs.envelopes import ENVELOPES, SPLIT_KEYS
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.table import SCALAR_TYPES

SMALL_BODY_BYTES = 4_096
"""For more rows it is quicker to read each column as a whole."""

MAX_DEPTH = 4
"""Of the forms that are taken: ``{"input_data": {"data": [[1]]}}``."""

MAX_PLANS = 64

Columns = tuple[str, ...] | None
"""The names of the columns as sent; None for the order of the fit."""


class Plan(NamedTuple):
    """How to read a row.

    ``cells``: for each feature its place in the row as sent, and what returns its value in
    canonical form, or raises; ``texts``: how many texts the row has as sent.
    """

    cells: list[tuple[int, Callable[[Any], Any]]]
    texts: int


class Sent(NamedTuple):
    """``rows``: lists or records; ``texts``: how many texts are around them, keys among them."""

    rows: list[Any]
    columns: Columns
    texts: int


class RowPlans:
    """``read(body, limits)`` -> the array of a batch, or None."""

    def __init__(
        self, names: Sequence[str], columns: Sequence[Column], dtype: np.dtype[Any]
    ) -> None:
        """``names``: of the columns, by which records and split rows call them."""
        self._names = names
        self._columns = columns
        self._dtype = dtype
        self._plan = functools.lru_cache(MAX_PLANS)(self._make_plan)

    def read(self, body: bytes, limits: Limits) -> np.ndarray | None:
        if len(body) > min(SMALL_BODY_BYTES, limits.max_bytes) or limits.max_depth < MAX_DEPTH:
            return None
        try:
            sent = _sent(orjson.loads(body))
            return None if sent is None else self._array(sent, body, limits)
        except (ValueError, TypeError, LookupError, OverflowError, BrokenRule):
            return None

    def _array(self, sent: Sent, body: bytes, limits: Limits) -> np.ndarray | None:
        columns, texts = sent.columns, sent.texts
        rows: list[InputRow] = []
        elements = 0
        for each in sent.rows:
            row = each
            if type(each) is dict:
                columns, row = tuple(each), list(each.values())
                texts += len(columns)
            elements += len(row)
            plan = self._plan(columns, tuple(map(type, row)))
            if plan is None or len(row) > limits.max_features:
                return None
            texts += plan.texts
            rows.append([read(row[place]) for place, read in plan.cells])
        if len(rows) > limits.max_rows or elements > limits.max_elements:
            return None
        # A key that was sent twice is lost in parsing, but its quotes are still there.
        if body.count(b'"') != 2 * texts:
            return None
        return np.array(rows, self._dtype)

    def _make_plan(self, columns: Columns, types: tuple[type, ...]) -> Plan | None:
        """Return the plan for rows of these columns and types; None if they break the contract."""
        order = list(range(len(self._names)))
        if columns is not None:
            places = {name: place for place, name in enumerate(columns)}
            if len(places) != len(columns) or not places.keys() >= {*self._names}:
                return None
            order = [places[name] for name in self._names]
        width = len(order if columns is None else columns)
        if len(types) != width or not SCALAR_TYPES.issuperset(types):
            return None
        cells = [
            (place, column.reader(types[place]))
            for place, column in zip(order, self._columns, strict=True)
        ]
        return Plan(cells, types.count(str))


def _sent(document: Any) -> Sent | None:
    """Find the rows; None for a form that is not quick. Raises TypeError or LookupError for some
    that are none."""
    columns: Columns = None
    texts = 0
    if type(document) is dict:
        texts = len(document)
        if texts == 1:
            (key,) = document
            if key not in ENVELOPES:
                return None
            document = document[key]
        if type(document) is dict:  # a DataFrame that pandas split
            if not document.keys() <= SPLIT_KEYS or (texts == 1 and key == "data"):
                return None
            texts += len(document) if texts == 1 else 0
            if not SCALAR_TYPES.issuperset(map(type, document.get("index", ()))):
                return None
            if "columns" in document:
                columns = tuple(document["columns"])
                if type(document["columns"]) is not list or set(map(type, columns)) != {str}:
                    return None
                texts += len(columns)
            document = document["data"]
    kinds = set(map(type, document))
    if type(document) is not list or not (kinds == {list} or (kinds == {dict} and not columns)):
        return None
    return Sent(document, columns, texts)
