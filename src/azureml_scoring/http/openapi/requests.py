"""JSON Schema of the request's body, in all its forms, in the dialect of OpenAPI 3.1.

Of alternatives the first is the one that Swagger 2.0, which has none, is left with.
"""

from __future__ import annotations

from typing import Any

from azureml_scoring.http.openapi.columns import SCALARS, Schema, column_schemas, value_schema
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.envelopes import ENVELOPES
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.options import GLOBAL_PARAMETERS, METHOD, PARAMS
from azureml_scoring.inputs.parameter import Parameter

ANY_SCALAR: Schema = {"type": [*SCALARS, "null"]}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def request_schemas(contract: Contract, limits: Limits) -> dict[str, Schema]:
    """Return the schemas of a request by name; that of the whole body is ``ServiceInput``."""
    names, features = contract.column_names, contract.features
    values, schemas = column_schemas(contract)
    width = len(features)
    most_rows = max(1, min(limits.max_rows, limits.max_elements // width))

    def several(items: Schema) -> Schema:
        return {"type": "array", "minItems": 1, "maxItems": most_rows, "items": items}

    by_name = list(zip(names, features, values, strict=True))
    row: Schema = {"type": "array", "minItems": width, "maxItems": width}
    row |= {"items": values[0]} if len(schemas) == 1 else {"prefixItems": values}
    record = _object(
        {name: value for name, _, value in by_name},
        [name for name, feature, _ in by_name if not feature.missing],
    ) | {
        "minProperties": 1,
        "maxProperties": limits.max_features,
        "description": "A key that is missing is a missing value; unknown keys are left out.",
    }
    columns = _object(
        {name: several(value) for name, _, value in by_name},
        [name for name, feature, _ in by_name if not feature.optional],
    ) | {"description": "Columns of one length; unknown ones are left out."}
    split = {
        "columns": {
            "type": "array",
            "items": {"type": ["string", "integer"]},
            "minItems": width - len(contract.optional),
            "maxItems": limits.max_features,
            "description": "All of the model's columns, in any order; others are left out.",
        },
        "data": several({"type": "array", "items": ANY_SCALAR}),
        "index": {"description": "Ignored."},
    }
    not_columns = {"additionalProperties": {"not": {"type": "array"}}}
    by_place, with_names = ref("Rows"), ref("Records")
    lists = [by_place, with_names] if contract.names is None else [with_names, by_place]
    parts: dict[str, Schema] = {
        **schemas,
        "Row": row,
        "Rows": several(ref("Row")),
        "Record": record,
        "Records": several(ref("Record")),
        "Columns": columns,
        "Split": _object(split, ["columns", "data"]) | {"additionalProperties": False},
        "Data": {
            "anyOf": [
                *lists,
                ref("Row"),
                ref("Columns"),
                {"allOf": [ref("Record"), not_columns]},
            ]
        },
    }
    return parts | _bodies(contract, lists, split)


def _bodies(contract: Contract, lists: list[Schema], split: dict[str, Schema]) -> dict[str, Schema]:
    """Return the schemas of the whole document."""
    method: Schema = {"enum": [*contract.methods, None], "default": contract.methods[0]}
    params = _object({METHOD: method} | {p.name: _parameter(p) for p in contract.parameters}, [])
    params |= {"type": ["object", "null"], "additionalProperties": False}
    options = {METHOD: ref("Method"), PARAMS: ref("Parameters")}
    under = [key for key in ENVELOPES if key != "data"]
    nameless = {"data": ref("Data"), "columns": {"enum": [None]}, "index": {}}
    closed = {"additionalProperties": False}
    data_or_split = {"anyOf": [ref("Data"), ref("Split"), _object(nameless, ["data"]) | closed]}
    automl = {"anyOf": [ref("Parameters"), {"type": "number"}]}
    return {
        "Method": method,
        "Parameters": params,
        "DataBody": _object({**nameless, **options}, ["data"]) | closed,
        "SplitBody": _object({**split, **options}, ["columns", "data"]) | closed,
        "EnvelopeBody": {
            "oneOf": [
                _object(
                    {
                        key: data_or_split,
                        METHOD: ref("Method"),
                        **(
                            {PARAMS: ref("Parameters")}
                            if PARAMS in ENVELOPES[key]
                            else {GLOBAL_PARAMETERS: automl}
                        ),
                    },
                    [key],
                )
                | closed
                for key in under
            ]
        },
        "ServiceInput": {
            "anyOf": [
                ref("DataBody"),
                ref("SplitBody"),
                ref("EnvelopeBody"),
                *lists,
                ref("Row"),
            ]
        },
    }


def _object(properties: dict[str, Any], required: list[str]) -> Schema:
    """``required`` may be empty, but not as a list: Swagger 2.0 and OpenAPI 3.0 refuse that."""
    schema: Schema = {"type": "object", "properties": properties}
    return schema | ({"required": required} if required else {})


def _parameter(parameter: Parameter) -> Schema:
    missing = parameter.default is None and not parameter.several
    value = value_schema(Feature(parameter.name, parameter.dtype, missing=missing))
    if parameter.several:
        value = {"type": "array", "items": value}
    return value if parameter.default is None else value | {"default": parameter.default}
