"""The answers of the service as OpenAPI has them, errors among them."""

from __future__ import annotations

from collections import defaultdict
from http import HTTPStatus
from typing import Any

from azureml_scoring.errors import ClientError, ClientGone, Overloaded, ServiceError
from azureml_scoring.http.openapi.columns import Schema
from azureml_scoring.http.openapi.requests import ref
from azureml_scoring.inputs.media_types import CSV, JSON
from azureml_scoring.outputs.encoders import offered
from azureml_scoring.request import CacheState

Json = dict[str, Any]

TEXT: Schema = {"type": "string"}
BINARY: Schema = {"type": "string", "format": "binary"}
NULLABLE_TEXT: Schema = {"type": ["string", "null"]}

REQUEST_ID = {"x-request-id": {"schema": TEXT, "description": "The request's id."}}
RETRY = {
    "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds until a retry helps."},
    "retry-after-ms": {"schema": {"type": "integer"}, "description": "The same in milliseconds."},
}

AGAIN_LATER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


def answer_schemas() -> dict[str, Schema]:
    """Return the schemas of an answer and of an error, by name."""
    metadata = {
        "model_name": NULLABLE_TEXT,
        "model_version": NULLABLE_TEXT,
        "deployment": TEXT,
        "request_id": TEXT,
        "inference_time_ms": {"type": "number"},
        "timestamp": TEXT,
        "num_predictions": {"type": "integer"},
        "cache": {"enum": [*map(str, CacheState)]},
    }
    predictions = {"type": "array", "items": {}, "description": "One answer a row."}
    codes = sorted({code for group in _codes(503).values() for code in group})
    error_metadata = {"request_id": TEXT, "timestamp": TEXT, "model_version": NULLABLE_TEXT}
    return {
        "ServiceOutput": {
            "type": "object",
            "required": ["predictions", "metadata"],
            "properties": {
                "predictions": predictions,
                "metadata": {
                    "type": "object",
                    "required": list(metadata),
                    "properties": metadata,
                },
            },
        },
        "ErrorResponse": {
            "type": "object",
            "required": ["error", "code", "status"],
            "properties": {
                "error": {"type": "string", "description": "What is wrong, and what to do."},
                "code": {"enum": codes},
                "status": {"type": "integer"},
                "location": {
                    "type": ["string", "null"],
                    "description": "JSON pointer into the request.",
                },
                "trace": TEXT,
                "metadata": {"type": "object", "properties": error_metadata},
            },
        },
    }


def score_responses(overload_status: int) -> Json:
    """Return the responses of ``/score`` by status. ``overload_status``: 503 or 429."""
    predictions = described("The predictions.", "ServiceOutput") | {"headers": REQUEST_ID}
    tables = {
        form: {"schema": TEXT if form == CSV else BINARY} for form in offered() if form != JSON
    }
    predictions["content"] |= tables
    responses: Json = {"200": predictions}
    for status, codes in sorted(_codes(overload_status).items()):
        headers = REQUEST_ID | (RETRY if status in AGAIN_LATER else {})
        responses[str(status)] = described(
            f"{HTTPStatus(status).phrase}: {', '.join(sorted(codes))}.", "ErrorResponse"
        ) | {"headers": headers}
    return responses


def described(text: str, schema: str | None = None, media_type: str = "application/json") -> Json:
    """Return one response. ``schema``: its name; None for an object of any keys."""
    content = ref(schema) if schema else {"type": "object"}
    return {"description": text, "content": {media_type: {"schema": content}}}


def _codes(overload_status: int) -> dict[int, set[str]]:
    codes: dict[int, set[str]] = defaultdict(set)
    for error in {*ClientError.__subclasses__(), *ServiceError.__subclasses__()} - {ClientGone}:
        status = overload_status if error is Overloaded else error.status
        codes[int(status)].add(error.code)
    return codes
