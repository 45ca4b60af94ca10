"""Parses a JSON body, in any of the accepted forms, into a table.

The checks run from cheap to expensive: bytes, depth, JSON, form, two dimensions, elements, rows,
features. validation.py checks the values against the model's contract. No message holds a value
from the request.
"""

from __future__ import annotations

from typing import Any

import orjson

from azureml_scoring.errors import EmptyBody, MalformedJson, WrongShape
from azureml_scoring.inputs import decoders
from azureml_scoring.inputs.body_bounds import PIECE_BYTES, check_bounds, surely_within
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.decoders import rows
from azureml_scoring.inputs.envelopes import Opened, open_document
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.media_types import BOM
from azureml_scoring.inputs.options import Options
from azureml_scoring.inputs.table import Table
from azureml_scoring.inputs.unique_keys import check_unique


def parse(body: bytes, contract: Contract, limits: Limits) -> tuple[Table, Options]:
    """Parse and check a body. Raises ClientError; to errors about its form the caller adds what to
    send."""
    document = read_json(body, limits)
    opened = open_document(document, contract.column_names)
    table = _table(opened, contract, limits)
    check_unique(body.removeprefix(BOM), opened.keys + table.keys, document)
    return table, opened.options


def read_json(body: bytes, limits: Limits) -> Any:
    """Return the document of a body within the limits. Raises ClientError."""
    limits.check_bytes(len(body))
    body = body.removeprefix(BOM)
    bounds = {"max_depth": limits.max_depth, "max_parts": limits.max_parts}
    small = len(body) <= PIECE_BYTES
    if not small:
        check_bounds(body, **bounds)
    if not body or body.isspace():
        raise EmptyBody("Request body is empty or None", "")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        check_bounds(body, **bounds)
        raise MalformedJson(f"The request body is not valid JSON: {error}", "") from None
    if small and not surely_within(body, document, **bounds):
        check_bounds(body, **bounds)
    if document is None:
        raise EmptyBody("Request body is empty or None", "")
    return document


def _table(opened: Opened, contract: Contract, limits: Limits) -> Table:
    data, columns = opened.data, opened.columns
    if columns is None:
        return decoders.decode(data, opened.pointer, contract, limits)
    if not rows.fits(data):
        raise WrongShape('With "columns", the data must be rows, each a list.', opened.pointer)
    return rows.with_columns(
        data, opened.pointer, contract, limits, columns, opened.columns_pointer
    )
