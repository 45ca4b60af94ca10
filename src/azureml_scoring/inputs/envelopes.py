"""Opens a JSON document: finds the data in it, the names of its columns, and what else the request
asks for.

The data stands under one key of ``ENVELOPES``, or is the document itself. Whatever the key, the
data may have any form of ``decoders``, or be a DataFrame as pandas splits it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from azureml_scoring.errors import UnknownForm, WrongType
from azureml_scoring.inputs.options import GLOBAL_PARAMETERS, METHOD, NO_OPTIONS, PARAMS, Options

SPLIT_KEYS = {"columns", "data", "index"}
"""The keys of ``DataFrame.to_dict("split")``."""

ENVELOPES = {
    "data": {"columns", "index", METHOD, PARAMS},
    "input_data": {METHOD, PARAMS},
    "inputs": {METHOD, PARAMS},
    "instances": {METHOD, PARAMS},
    "dataframe_split": {METHOD, PARAMS},
    "dataframe_records": {METHOD, PARAMS},
    "Inputs": {METHOD, GLOBAL_PARAMETERS},
}
"""The key of the data -> the keys that may stand beside it."""

NAME_TYPES = {str, int}


class Opened(NamedTuple):
    """What a document holds.

    ``pointer``: to the data; ``columns``: the names of a row's values, or None;
    ``columns_pointer``: to them; ``keys``: how many keys the objects around the data have.
    """

    data: Any
    pointer: str
    options: Options
    columns: list[Any] | None = None
    columns_pointer: str = ""
    keys: int = 0


def open_document(document: Any, names: Sequence[str]) -> Opened:
    """Find the data. Raises ClientError. ``names``: the model's columns.

    An unknown key is refused. The error does not advise to leave it out: it may hold the names of
    the columns.
    """
    if isinstance(document, list):
        return Opened(document, "", NO_OPTIONS)
    if not isinstance(document, dict):
        raise UnknownForm("The request body must be an object or a list.", "")
    keys = ENVELOPES.keys() & document
    if len(keys) != 1:
        raise UnknownForm(
            f"The request body must have exactly one of the keys {_listed(ENVELOPES)}.", ""
        )
    (key,) = keys
    options = NO_OPTIONS if len(document) == 1 else _options(document, key)
    table, place, keys_around = document, "", len(document) + options.keys
    if key != "data":
        table, place = document[key], f"/{key}"
        if not _is_split(table, names):
            return Opened(table, place, options, keys=keys_around)
        keys_around += len(table)
        if "data" not in table or not table.keys() <= SPLIT_KEYS:
            allowed = _listed(sorted(SPLIT_KEYS))
            raise UnknownForm(
                f'A DataFrame as pandas splits it needs "data", and may have only {allowed}.', place
            )
    columns = table.get("columns")
    if columns is not None and not (
        isinstance(columns, list) and NAME_TYPES.issuperset(map(type, columns))
    ):
        raise WrongType('"columns" must be a list of names.', f"{place}/columns")
    return Opened(table["data"], f"{place}/data", options, columns, f"{place}/columns", keys_around)


def _options(document: dict[str, Any], key: str) -> Options:
    beside = ENVELOPES[key]
    if not document.keys() - {key} <= beside:
        raise UnknownForm(f'Only {_listed(sorted(beside))} may stand beside "{key}".', "")
    return Options.of(document, PARAMS if PARAMS in beside else GLOBAL_PARAMETERS)


def _is_split(table: Any, names: Sequence[str]) -> bool:
    """Return True for a DataFrame as pandas splits it, and for what is meant to be one.

    The model may have columns with such names. An object that has them all is one, or a record or
    columns: the data of the first is a list of rows or records, or has the names of its columns.
    """
    if not isinstance(table, dict) or SPLIT_KEYS.isdisjoint(table):
        return False
    if not table.keys() >= set(names):
        return True
    data = table.get("data")
    rows = isinstance(data, list) and {*map(type, data)} & {list, dict}
    return table.keys() <= SPLIT_KEYS and bool(rows or "columns" in table.keys() - set(names))


def _listed(keys: Collection[str]) -> str:
    """Return ``"a", "b" and "c"``."""
    *first, last = (f'"{key}"' for key in keys)
    return f"{', '.join(first)} and {last}"
