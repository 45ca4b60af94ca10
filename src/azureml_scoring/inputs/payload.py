"""Parses the body of a request, in any of the accepted forms, into a table of values as they were
sent.

The checks run from cheap to expensive: bytes, depth, JSON, form, two dimensions, elements, rows,
features. validation.py checks the values against the model's contract. No message holds a value
from the request.
"""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Collection
from typing import Any, NamedTuple

import orjson

from azureml_scoring.errors import (
    ClientError,
    EmptyBatch,
    EmptyBody,
    MalformedJson,
    TooManyElements,
    TooManyFeatures,
    TooManyRows,
    UnknownForm,
    WrongShape,
    WrongType,
)
from azureml_scoring.inputs.body_bounds import check_bounds
from azureml_scoring.inputs.limits import Limits

BOM = codecs.BOM_UTF8
"""The byte order mark that Windows' tools write before the JSON."""

SPLIT_KEYS = {"columns", "data", "index"}
"""The keys of ``DataFrame.to_dict("split")``."""

SPLIT_KEYS_AND_METHOD = SPLIT_KEYS | {"method", "params"}

NAME_TYPES = {str, int}

SCALAR_TYPES = {int, float, str, bool, type(None)}


class Table(NamedTuple):
    """Rows of scalars, all of one width.

    ``types``: of the values in each column; ``pointer``: to the rows; ``flat``: the only row was
    sent as a flat list; ``columns``, ``method`` and ``params``: as sent, or None.
    """

    rows: list[list[Any]]
    values: list[tuple[Any, ...]]
    types: list[Collection[type]]
    pointer: str
    flat: bool
    columns: list[Any] | None
    method: Any
    params: Any = None

    def location(self, row: int, column: int) -> str:
        return f"{self.pointer}/{column}" if self.flat else f"{self.pointer}/{row}/{column}"


def parse(body: bytes, limits: Limits) -> Table:
    """Parse and check a body. Raises ClientError; to UnknownForm and WrongShape the caller adds
    what to send."""
    limits.check_bytes(len(body))
    body = body.removeprefix(BOM)
    check_bounds(body, max_depth=limits.max_depth, max_parts=limits.max_parts)
    document = _json(body)
    data, pointer, columns, method = _form(document)
    params = document.get("params") if isinstance(document, dict) else None
    if not isinstance(params, dict | None):
        raise UnknownForm('"params" must be an object, with a key for each parameter.', "/params")
    rows, flat = _rows(data, pointer)
    try:
        _check_shape(rows, columns, pointer, limits)
    except ClientError:
        _check_scalars(rows, pointer, flat)  # of two mistakes, the first that clients should mend
        raise
    values = list(zip(*rows, strict=True))
    types = _types(rows, values)
    if not SCALAR_TYPES.issuperset(itertools.chain.from_iterable(types)):
        _check_scalars(rows, pointer, flat)
    return Table(rows, values, types, pointer, flat, columns, method, params)


def _types(rows: list[list[Any]], values: list[tuple[Any, ...]]) -> list[Collection[type]]:
    """Return the types of the values in each column."""
    if len(rows) == 1:  # the usual request, for which sets would take longest of all
        return list(zip(map(type, rows[0])))
    return [set(map(type, column)) for column in values]


def _json(body: bytes) -> Any:
    if not body or body.isspace():
        raise EmptyBody("Request body is empty or None", "")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedJson(f"The request body is not valid JSON: {error}", "") from None
    if document is None:
        raise EmptyBody("Request body is empty or None", "")
    return document


def _form(document: Any) -> tuple[Any, str, list[Any] | None, Any]:
    """Return the rows as sent, the pointer to them, columns or None, method or None."""
    if isinstance(document, list):
        return document, "", None, None
    if not isinstance(document, dict):
        raise UnknownForm("The request body must be an object or a list.", "")
    if ("data" in document) == ("input_data" in document):
        raise UnknownForm(
            'The request body must have either the key "data" or the key "input_data".', ""
        )
    method = document.get("method")
    if "data" in document:
        return *_split(document, "", SPLIT_KEYS_AND_METHOD), method
    if document.keys() - {"input_data", "method", "params"}:
        raise UnknownForm(
            'Only "method" and "params" are allowed beside "input_data"; put "columns" and "index" '
            "inside it.",
            "",
        )
    inner = document["input_data"]
    if not isinstance(inner, dict):
        return inner, "/input_data", None, method
    return *_split(inner, "/input_data", SPLIT_KEYS), method


def _split(
    table: dict[str, Any], place: str, known_keys: set[str]
) -> tuple[Any, str, list[Any] | None]:
    """Read a DataFrame as pandas splits it; return rows, pointer to them, columns or None.

    Unknown keys are refused. The error does not advise to leave them out: they may be the names of
    columns.
    """
    if "data" not in table:
        raise UnknownForm(
            '"input_data" must be a list of rows, or an object with the key "data".', place
        )
    if not table.keys() <= known_keys:
        allowed = ", ".join(f'"{key}"' for key in sorted(known_keys))
        raise UnknownForm(f"A key is unknown: only {allowed} are allowed here.", place)
    columns = table.get("columns")
    if columns is not None and not (
        isinstance(columns, list) and NAME_TYPES.issuperset(map(type, columns))
    ):
        raise WrongType('"columns" must be a list of names.', f"{place}/columns")
    return table["data"], f"{place}/data", columns


def _rows(data: Any, pointer: str) -> tuple[list[list[Any]], bool]:
    """Return the rows, and True if the data is one row as a flat list."""
    if not isinstance(data, list):
        raise WrongShape("The data must be a list of rows, or one row.", pointer)
    types = set(map(type, data))
    if types and list not in types:
        return [data], True
    if types - {list}:
        index = next(i for i, row in enumerate(data) if not isinstance(row, list))
        raise WrongShape("Some rows are lists and this one is not.", f"{pointer}/{index}")
    return data, False


def _check_scalars(rows: list[list[Any]], pointer: str, flat: bool) -> None:
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            if type(value) in SCALAR_TYPES:
                continue
            place = f"{pointer}/{j}" if flat else f"{pointer}/{i}/{j}"
            if flat and set(map(type, row)) == {dict}:
                raise WrongShape("A row must be a list of values; this one is an object.", place)
            kind = (
                "a list, so the data has more than 2 dimensions"
                if isinstance(value, list)
                else "an object"
            )
            raise WrongShape(
                f"A value must be a number, text, boolean or null; this one is {kind}.", place
            )


def _check_shape(
    rows: list[list[Any]], columns: list[Any] | None, pointer: str, limits: Limits
) -> None:
    width = len(columns) if columns is not None else len(rows[0]) if rows else 0
    widths = set(map(len, rows))
    elements = width * len(rows) if widths == {width} else sum(map(len, rows))
    widest = max(width, *widths, 0)
    if elements > limits.max_elements:
        raise TooManyElements(
            f"Input array too large: {elements} elements. Maximum {limits.max_elements:,} allowed.",
            pointer,
        )
    if len(rows) > limits.max_rows:
        raise TooManyRows(
            f"Too many rows: {len(rows)}. Maximum {limits.max_rows:,} allowed.", pointer
        )
    if widest > limits.max_features:
        raise TooManyFeatures(
            f"Too many features: {widest}. Maximum {limits.max_features:,} allowed.", pointer
        )
    if not rows:
        raise EmptyBatch("There are no rows; send at least one.", pointer)
    if widths != {width}:
        index = next(i for i, row in enumerate(rows) if len(row) != width)
        as_wide_as = "the first row" if columns is None else "there are columns"
        raise WrongShape(f"A row must have as many values as {as_wide_as}.", f"{pointer}/{index}")
