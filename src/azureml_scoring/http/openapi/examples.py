"""Example requests, made from rows that the model has answered, in the main forms of a body."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from azureml_scoring.errors import ClientError
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.media_types import CSV, JSON
from validation import validate

MAX_EXAMPLE_ROWS = 2

Rows = Sequence[Sequence[Any]]


def example_documents(contract: Contract, rows: Rows, limits: Limits) -> dict[str, Any]:
    """Return one JSON document for each main form, by the name of the form.

    rows: that the model has answered, in the order of the fit. A form is left out if the service
    would refuse it.
    """
    if not rows:
        return {}
    names = contract.column_names
    few = [list(row) for row in rows[:MAX_EXAMPLE_ROWS]]
    records = [dict(zip(names, row, strict=True)) for row in few]
    forms: dict[str, Callable[[], Any]] = {
        "records": lambda: {"data": records},
        "rows": lambda: {"data": few},
        "split": lambda: {"columns": names, "data": few},
        "columns": lambda: {"data": dict(zip(names, zip(*few, strict=True), strict=True))},
        "method": lambda: {"data": few[:1], "method": contract.methods[-1]},
    }
    documents = {form: orjson.loads(orjson.dumps(make())) for form, make in forms.items()}
    return {
        form: document
        for form, document in documents.items()
        if _accepted(orjson.dumps(document), contract, limits, JSON)
    }


def example_csv(contract: Contract, rows: Rows, limits: Limits) -> str | None:
    """Return the rows as a CSV; None if the service would refuse it."""
    text = io.StringIO()
    writer = csv.writer(text)
    if contract.names is not None:
        writer.writerow(contract.names)
    writer.writerows([list(map(_cell, row)) for row in rows[:MAX_EXAMPLE_ROWS]])
    body = text.getvalue()
    return body if _accepted(body.encode(), contract, limits, CSV) else None


def _cell(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _accepted(body: bytes, contract: Contract, limits: Limits, media_type: str) -> bool:
    with contextlib.suppress(ClientError):
        validate(body, contract, limits, media_type)
        return True
    return False
