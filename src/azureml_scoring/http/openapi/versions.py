"""Turns a document of OpenAPI 3.1 into one of 3.0 or of Swagger 2.0."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

DEFINITIONS, COMPONENTS = "#/definitions/", "#/components/schemas/"

LITERAL = {"enum", "default", "example", "examples", "required", "value"}
"""Keys below which nothing is a schema."""

NOT_IN_2 = {"not", "oneOf", "prefixItems", "nullable"}


def to_3_0(document: Json) -> Json:
    """Return the document in OpenAPI 3.0."""
    plain: Json = _each(document, _schema_3_0)
    return plain | {"openapi": "3.0.3"}


def to_2(document: Json) -> Json:
    """Return the document in Swagger 2.0. Of alternatives it keeps the first."""
    plain: Json = _each(document, _schema_2)
    return {
        "swagger": "2.0",
        "info": plain["info"],
        "schemes": ["https", "http"],
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "securityDefinitions": {
            "Bearer": {"type": "apiKey", "name": "Authorization", "in": "header"}
        },
        "security": plain["security"],
        "paths": {
            path: {method: _operation_2(operation) for method, operation in operations.items()}
            for path, operations in plain["paths"].items()
        },
        "definitions": plain["components"]["schemas"],
    }


def _each(node: Any, change: Any) -> Any:
    """Apply ``change`` to every object that may be a schema, the innermost first."""
    if isinstance(node, list):
        return [_each(part, change) for part in node]
    if not isinstance(node, dict):
        return node
    walked: Json = {}
    for key, value in node.items():
        if key == "properties":
            walked[key] = {name: _each(part, change) for name, part in value.items()}
        else:
            walked[key] = value if key in LITERAL else _each(value, change)
    return change(walked)


def _schema_3_0(schema: Json) -> Json:
    """Type lists become ``nullable`` and ``anyOf``; types by place become any of them."""
    if places := schema.pop("prefixItems", None):
        schema["items"] = {"anyOf": list({str(place): place for place in places}.values())}
    if None in (schema.get("enum") or ()):
        schema["nullable"] = True
    kinds = schema.get("type")
    if not isinstance(kinds, list):
        return schema
    types = [kind for kind in kinds if kind != "null"]
    missing = {"nullable": True} if len(types) < len(kinds) else {}
    if len(types) == 1:
        return schema | {"type": types[0]} | missing
    del schema["type"]
    return schema | {"anyOf": [{"type": kind} | missing for kind in types]}


def _schema_2(schema: Json) -> Json:
    kinds = schema.get("type")
    if isinstance(kinds, list):
        types = [kind for kind in kinds if kind != "null"]
        if len(types) < len(kinds):
            schema["x-nullable"] = True
        if len(types) == 1:
            schema["type"] = types[0]
        else:
            del schema["type"]
    if isinstance(reference := schema.get("$ref"), str):
        schema["$ref"] = reference.replace(COMPONENTS, DEFINITIONS)
    if "prefixItems" in schema:
        schema["items"] = {}
    first = schema["anyOf"][0] if "anyOf" in schema else {}
    return first | {key: v for key, v in schema.items() if key not in NOT_IN_2 | {"anyOf"}}


def _operation_2(operation: Json) -> Json:
    kept = {k: v for k, v in operation.items() if k not in ("requestBody", "parameters")}
    parameters = [_parameter_2(parameter) for parameter in operation.get("parameters", ())]
    if body := operation.get("requestBody"):
        kept["consumes"] = list(body["content"])
        schema = body["content"]["application/json"]["schema"]
        parameters.append({"name": "body", "in": "body", "required": True, "schema": schema})
    produces = {kind for r in operation["responses"].values() for kind in r.get("content", ())}
    kept["produces"] = sorted(produces)
    kept["responses"] = {status: _response_2(r) for status, r in operation["responses"].items()}
    return kept | ({"parameters": parameters} if parameters else {})


def _parameter_2(parameter: Json) -> Json:
    kept = {k: v for k, v in parameter.items() if k != "schema"}
    return kept | dict(parameter["schema"])


def _response_2(response: Json) -> Json:
    kept: Json = {"description": response["description"]}
    if content := response.get("content"):
        kept["schema"] = next(iter(content.values()))["schema"]
    if headers := response.get("headers"):
        kept["headers"] = {name: _parameter_2(header) for name, header in headers.items()}
    return kept
