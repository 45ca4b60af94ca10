"""Every form in which a request may hold the same rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from azureml_scoring.inputs.media_types import CSV, JSON

Rows = Sequence[Sequence[Any]]
Document = Callable[[Sequence[str], Rows], Any]


def records(names: Sequence[str], rows: Rows) -> list[dict[str, Any]]:
    return [dict(zip(names, row, strict=True)) for row in rows]


def columns(names: Sequence[str], rows: Rows) -> dict[str, list[Any]]:
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def split(names: Sequence[str], rows: Rows) -> dict[str, Any]:
    return {"columns": list(names), "index": list(range(len(rows))), "data": rows}


PLAIN = {"rows": lambda _, rows: rows, "records": records, "columns": columns}
"""The forms of the data."""

KEYS = ("data", "input_data", "inputs", "instances", "dataframe_split", "dataframe_records")

DOCUMENTS: dict[str, Document] = {
    "bare rows": lambda _, rows: rows,
    "bare records": records,
    "split": split,
    **{
        f"{key}: {form}": lambda names, rows, key=key, data=data: {key: data(names, rows)}
        for key in KEYS
        for form, data in PLAIN.items()
    },
    **{f"{key}: split": lambda names, rows, key=key: {key: split(names, rows)} for key in KEYS[1:]},
    **{
        f"{key}: a DataFrame of {form}": lambda names, rows, key=key, data=data: {
            key: {"data": data(names, rows)}
        }
        for key in ("input_data", "Inputs")
        for form, data in PLAIN.items()
    },
    "with params": lambda names, rows: {
        "dataframe_records": records(names, rows),
        "params": {"method": "predict"},
    },
    "AutoML": lambda names, rows: {
        "Inputs": {"data": records(names, rows)},
        "GlobalParameters": {"method": "predict"},
    },
    "AutoML's regression": lambda names, rows: {
        "Inputs": {"data": records(names, rows)},
        "GlobalParameters": 1.0,
    },
}
"""Every JSON document. The rows stand in the order of the names."""

BY_PLACE = {name for name in DOCUMENTS if name.endswith("rows")}
"""The documents that hold no names."""


def as_json(form: str, names: Sequence[str], rows: Rows) -> tuple[bytes, str]:
    return orjson.dumps(DOCUMENTS[form](names, rows)), JSON


def as_csv(names: Sequence[str], rows: Rows) -> tuple[bytes, str]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return text.getvalue().encode(), CSV


def _cell(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


FORMS = {form: lambda names, rows, form=form: as_json(form, names, rows) for form in DOCUMENTS} | {
    "CSV": as_csv
}
"""Form -> the body and its media type."""
