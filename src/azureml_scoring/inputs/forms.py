"""Describes the requests that a model takes, for errors about the form of one."""

from __future__ import annotations

import orjson

from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import BOOLEAN, TEXT, Feature

MAX_SHOWN_COLUMNS = 3
"""Further columns are shown as an ellipsis."""


def forms(contract: Contract) -> str:
    """Return one sentence. It names the model's columns and holds nothing of a request."""
    count = len(contract.features)
    if count == 1:
        first, second = _two_values(contract.features[0])
        rows = f'{{"data": [[{first}], [{second}]]}}'
        if contract.names is None:
            return f"Send {rows}: each row is a list of one value."
        name = orjson.dumps(contract.names[0]).decode()
        records = f'{{"data": [{{{name}: {first}}}, {{{name}: {second}}}]}}'
        return f"Send records, {records}; or {rows}, each row a list of one value."
    by_position = f"{count} values in each row, in the order that the model was fitted with"
    if contract.names is None:
        return f'Send {{"data": [[...], [...]]}}, with {by_position}.'
    shown = [orjson.dumps(name).decode() for name in contract.names[:MAX_SHOWN_COLUMNS]]
    more = ", ..." if count > MAX_SHOWN_COLUMNS else ""
    record = ", ".join(f"{name}: ..." for name in shown)
    return (
        f'Send records, {{"data": [{{{record}{more}}}, ...]}}; or '
        f'{{"columns": [{", ".join(shown)}{more}], "data": [[...], [...]]}}; or without "columns", '
        f"{by_position}."
    )


def _two_values(feature: Feature) -> tuple[str, str]:
    if feature.dtype == TEXT:
        return '"first text"', '"second text"'
    if feature.dtype == BOOLEAN:
        return "true", "false"
    return ("1", "2") if feature.numeric else ("...", "...")
