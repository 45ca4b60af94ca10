"""JSON Schema of the values of the model's columns, in the dialect of OpenAPI 3.1."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from azureml_scoring.inputs.column import accepted_types, described
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import DATETIME, Feature, NumberRange
from azureml_scoring.inputs.moment import FIRST_YEAR, LAST_YEAR

Schema = dict[str, Any]

MAX_LISTED_CATEGORIES = 50

TYPE_NAMES: dict[type, str] = {bool: "boolean", int: "number", float: "number", str: "string"}
"""Type of a value -> JSON Schema's name of it."""

SCALARS = sorted({*TYPE_NAMES.values()})

MOMENT_PATTERN = (
    "^(16(7[89]|[89][0-9])|1[7-9][0-9]{2}|2[01][0-9]{2}|22([0-5][0-9]|6[01]))"
    "-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    "([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,9})?)?)?$"
)
"""``format: date-time`` would ask for a time zone, which the service refuses."""


def value_schema(feature: Feature) -> Schema:
    """Return the schema of one value of a column."""
    schema = _of_kind(feature)
    listed = feature.categories and not feature.unseen
    if listed and len(feature.categories) <= MAX_LISTED_CATEGORIES:
        schema = {"enum": list(feature.categories)}
    elif listed:
        schema["description"] = (
            f"One of the {len(feature.categories)} values that the model was fitted with."
        )
    if feature.missing and "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    elif feature.missing:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        schema["type"] = [*kinds, "null"]
    return schema


def column_schemas(contract: Contract) -> tuple[list[Schema], dict[str, Schema]]:
    """Return a reference for each column, and the schemas they refer to, each kind once."""
    names: dict[bytes, str] = {}
    schemas: dict[str, Schema] = {}
    references = []
    for feature in contract.features:
        schema = value_schema(feature)
        key = orjson.dumps(schema)
        if key not in names:
            names[key] = f"Value{len(names) + 1}"
            schemas[names[key]] = schema
        references.append({"$ref": f"#/components/schemas/{names[key]}"})
    return references, schemas


def _of_kind(feature: Feature) -> Schema:
    if feature.numeric:
        least, most = NumberRange.of(feature)
        kind = "integer" if feature.whole else "number"
        return {"type": kind, "minimum": least, "maximum": most, "title": feature.dtype}
    if feature.dtype == DATETIME:
        return {
            "type": "string",
            "pattern": MOMENT_PATTERN,
            "description": f"{described(feature).capitalize()}, from {FIRST_YEAR} to {LAST_YEAR}.",
        }
    if feature.categories and not feature.unseen:
        return {"type": _names_of(map(type, feature.categories))}
    return {"type": _names_of(accepted_types(feature))}


def _names_of(types: Iterable[type]) -> str | list[str]:
    """Return the name of these types of values, or their names if they are several."""
    names = sorted({TYPE_NAMES[kind] for kind in types})
    return names[0] if len(names) == 1 else names
