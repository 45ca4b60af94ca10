"""The paths of the service as OpenAPI has them."""

from __future__ import annotations

from typing import Any

from azureml_scoring.http.openapi.requests import ref
from azureml_scoring.http.openapi.responses import TEXT, described, score_responses
from azureml_scoring.inputs.media_types import BODIES, CSV, JSON
from azureml_scoring.inputs.tensors import DATATYPES

Json = dict[str, Any]

TEXTUAL = (JSON, CSV)
BINARY: Json = {"schema": {"type": "string", "format": "binary"}}

JSON_LENGTH: Json = {
    "name": "Inference-Header-Content-Length",
    "in": "header",
    "schema": {"type": "integer", "minimum": 1},
    "description": "The bytes of the JSON, if binary tensors stand behind it.",
}

VERSIONS = ("2", "2.0", "3", "3.0", "3.1")

OPEN_TO_ALL: Json = {"security": []}
"""No key is needed inside of the cluster; a managed endpoint does not expose these paths."""

BY_ID = [
    {"name": "x-request-id", "in": "header", "schema": {"type": "string", "maxLength": 100}},
    {
        "name": "x-request-timeout-ms",
        "in": "header",
        "schema": TEXT,
        "description": "For how many milliseconds the caller waits.",
    },
]


def paths(
    model_name: str,
    model_version: str,
    documents: dict[str, Any],
    csv: str | None,
    overload_status: int,
) -> Json:
    """Return all paths. ``documents``: example requests by form; ``csv``: one in CSV, or None."""
    errors = score_responses(overload_status)
    content: Json = {
        JSON: {
            "schema": ref("ServiceInput"),
            "examples": {form: {"value": document} for form, document in documents.items()},
        }
    }
    if csv is not None:
        content[CSV] = {"schema": TEXT, "examples": {"csv": {"value": csv}}}
    content |= dict.fromkeys([kind for kind in BODIES if kind not in TEXTUAL], BINARY)
    score = {
        "operationId": "RunMLService",
        "summary": "Score rows",
        "parameters": BY_ID,
        "requestBody": {"required": True, "content": content},
        "responses": errors,
    }
    healthy = described("The server runs.") | {"content": {"text/html": {"schema": TEXT}}}
    return {
        "/score": {"post": score},
        "/": {"get": _get("ServiceHealthCheck", "The server runs", {"200": healthy})},
        **{
            f"/{probe}": {"get": _get(probe, summary, _probe())}
            for probe, summary in (
                ("health", "State and counters"),
                ("readiness", "Whether requests can be handled"),
                ("liveness", "Whether a restart would help"),
            )
        },
        "/metrics": {
            "get": _get(
                "metrics",
                "Metrics for Prometheus",
                {
                    "200": {
                        "description": "Metrics.",
                        "content": {"text/plain": {"schema": TEXT}},
                    }
                },
            )
        },
        "/swagger.json": {"get": _swagger()},
        **_open_inference(model_name, model_version, errors),
    }


def _swagger() -> Json:
    version = {"name": "version", "in": "query", "schema": TEXT | {"enum": [*VERSIONS]}}
    responses = {
        "200": described("This document."),
        "404": described("There is no such version."),
        "503": described("The model is still loading."),
    }
    return _get("GetSwaggerSpec", "This document", responses) | {"parameters": [version]}


def _open_inference(model_name: str, model_version: str, errors: Json) -> Json:
    """Return the paths of the Open Inference Protocol (V2) and of V1."""

    def named(name: str, known: str) -> Json:
        return {"name": name, "in": "path", "required": True, "schema": TEXT | {"enum": [known]}}

    name, version = named("name", model_name), named("version", model_version)
    refused = {status: described(r["description"]) for status, r in errors.items()}
    refused |= {"200": described("The answer."), "404": described("Another model is here.")}
    model = "/v2/models/{name}"
    tensors = {JSON: {"schema": ref("V2Request")}, "application/octet-stream": BINARY}
    operations: Json = {
        "/v2": {"get": _get("v2", "The server", {"200": described("Name and version.")})},
        "/v2/health/live": {"get": _get("v2Live", "Whether the server lives", _probe())},
        "/v2/health/ready": {"get": _get("v2Ready", "Whether it is ready", _probe())},
        "/v1/models/{name}:predict": {
            "post": _post("v1Predict", [name], {JSON: {"schema": ref("ServiceInput")}}, refused)
        },
        "/v1/models/{name}": {
            "get": _get("v1Model", "Whether the model is ready", _model()) | {"parameters": [name]}
        },
    }
    for suffix, path, parameters in (
        ("", model, [name]),
        ("Version", f"{model}/versions/{{version}}", [name, version]),
    ):
        named_in = {"parameters": parameters}
        operations[path] = {
            "get": _get(f"v2Model{suffix}", "The model's inputs and outputs", _model()) | named_in
        }
        operations[f"{path}/ready"] = {
            "get": _get(f"v2ModelReady{suffix}", "Whether the model is ready", _model()) | named_in
        }
        operations[f"{path}/infer"] = {
            "post": _post(f"v2Infer{suffix}", [*parameters, JSON_LENGTH], tensors, refused)
        }
    return operations


def protocol_schemas() -> Json:
    """Return the schema of a request of V2, by its name."""
    tensor = {
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": TEXT,
            "shape": {
                "type": "array",
                "minItems": 1,
                "maxItems": 2,
                "items": {"type": "integer", "minimum": 0},
            },
            "datatype": {"enum": sorted(DATATYPES)},
            "data": {"type": "array", "items": {}},
            "parameters": {},
        },
    }
    output = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"name": ref("Method"), "parameters": {}},
    }
    return {
        "V2Request": {
            "type": "object",
            "additionalProperties": False,
            "required": ["inputs"],
            "properties": {
                "id": {},
                "model_name": {},
                "inputs": {"type": "array", "minItems": 1, "items": tensor},
                "outputs": {"type": ["array", "null"], "maxItems": 1, "items": output},
                "parameters": {},
            },
        },
    }


def _get(operation: str, summary: str, responses: Json) -> Json:
    return {
        "operationId": operation,
        "summary": summary,
        "responses": responses,
    } | OPEN_TO_ALL


def _post(operation: str, parameters: list[Json], content: Json, responses: Json) -> Json:
    return {
        "operationId": operation,
        "summary": "Score rows, as the protocol has it",
        "parameters": parameters,
        "requestBody": {"required": True, "content": content},
        "responses": responses,
    }


def _probe() -> Json:
    return {"200": described("Yes."), "503": described("No.")}


def _model() -> Json:
    return _probe() | {"404": described("Another model is here.")}
