"""Describes the requests that a model takes, for errors about the form of one."""

from __future__ import annotations

import orjson

from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import BOOLEAN, TEXT, Feature
from azureml_scoring.inputs.media_types import BINARY_TENSORS, CSV, JSON, NPY, TENSORS

MAX_SHOWN_COLUMNS = 3
"""Further columns are shown as an ellipsis."""

OTHERS = "CSV, Parquet, Arrow and npy are taken too, each with its Content-Type."


def forms(contract: Contract, media_type: str = JSON) -> str:
    """Return what to send in the form of the body. It names the model's columns and holds nothing
    of a request."""
    if media_type == JSON:
        return f"{_json(contract)} {OTHERS}"
    count = len(contract.features)
    by_place = _by_place(count)
    columns = ", ".join([*contract.column_names[:MAX_SHOWN_COLUMNS], *_more(count)])
    if media_type == NPY:
        return f"Send an array with {by_place}."
    if media_type == CSV:
        return f"A CSV has the columns {columns} in its first line, or no names and {by_place}."
    if media_type in (TENSORS, BINARY_TENSORS):
        return (
            f"Send one input for each column, called {columns}; or one tensor of the shape "
            f"[rows, {count}], with {by_place}."
        )
    return f"Send the columns {columns}, with one value in each row."


def _json(contract: Contract) -> str:
    count = len(contract.features)
    if count == 1:
        first, second = _two_values(contract.features[0])
        rows = f'{{"data": [[{first}], [{second}]]}}'
        if contract.names is None:
            return f"Send {rows}: each row is a list of one value."
        name = orjson.dumps(contract.names[0]).decode()
        records = f'{{"data": [{{{name}: {first}}}, {{{name}: {second}}}]}}'
        return f"Send records, {records}; or {rows}, each row a list of one value."
    by_place = _by_place(count)
    if contract.names is None:
        return f'Send {{"data": [[...], [...]]}}, with {by_place}.'
    names = [orjson.dumps(name).decode() for name in contract.names[:MAX_SHOWN_COLUMNS]]
    columns = ", ".join([*names, *_more(count)])
    record = ", ".join([*(f"{name}: ..." for name in names), *_more(count)])
    return (
        f'Send records, {{"data": [{{{record}}}, ...]}}; or {{"columns": [{columns}], '
        f'"data": [[...], [...]]}}; or without "columns", {by_place}.'
    )


def _by_place(count: int) -> str:
    values = "1 value" if count == 1 else f"{count} values"
    return f"{values} in each row, in the order that the model was fitted with"


def _more(count: int) -> list[str]:
    return ["..."] if count > MAX_SHOWN_COLUMNS else []


def _two_values(feature: Feature) -> tuple[str, str]:
    if feature.dtype == TEXT:
        return '"first text"', '"second text"'
    if feature.dtype == BOOLEAN:
        return "true", "false"
    return ("1", "2") if feature.numeric else ("...", "...")
