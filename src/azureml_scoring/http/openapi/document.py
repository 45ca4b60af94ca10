"""``/swagger.json``: the document in each version of OpenAPI, made when it is first asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Protocol

import orjson

from azureml_scoring.errors import NotReady
from azureml_scoring.http.openapi.examples import example_csv, example_documents
from azureml_scoring.http.openapi.paths import VERSIONS, paths, protocol_schemas
from azureml_scoring.http.openapi.requests import request_schemas
from azureml_scoring.http.openapi.responses import answer_schemas
from azureml_scoring.http.openapi.versions import to_2, to_3_0
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.models.model import Model
from azureml_scoring.request import Answer

PATH = "/swagger.json"
DEFAULT_VERSION = "2"
"""azmlinfsrv's, which Azure ML's tools count on."""

BEARER = {
    "type": "apiKey",
    "name": "Authorization",
    "in": "header",
    "description": "A managed endpoint wants Bearer and a key or token; the container, none.",
}


class Source(Protocol):
    """The source of the model, which may still be loading."""

    @property
    def loaded(self) -> Model | None: ...


class SwaggerPage:
    """Answers ``/swagger.json?version=...``. ``overload_status``: 503 or 429."""

    def __init__(self, source: Source, limits: Limits, overload_status: int) -> None:
        self._source = source
        self._limits = limits
        self._overload_status = overload_status
        self._answers: dict[str, Answer] = {}

    def __call__(self, version: str | None = None) -> Answer:
        version = DEFAULT_VERSION if version is None else version
        if version not in VERSIONS:
            message = f"There is no such version; ask for one of {', '.join(VERSIONS)}."
            return Answer(HTTPStatus.NOT_FOUND, orjson.dumps({"error": message}))
        model = self._source.loaded
        if model is None:
            error = NotReady("The model is still loading.")
            body = {"error": error.message, "code": error.code}
            return Answer(int(error.status), orjson.dumps(body), error.headers)
        version = version.removesuffix(".0")
        if version not in self._answers:
            self._answers[version] = self._answer(model, version)
        return self._answers[version]

    def _answer(self, model: Model, version: str) -> Answer:
        document = openapi(model, self._limits, self._overload_status)
        body = orjson.dumps(CONVERT[version](document))
        return Answer(200, body, {"ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"'})


def openapi(model: Model, limits: Limits, overload_status: int = 503) -> dict[str, Any]:
    """Return the document of a model, in OpenAPI 3.1."""
    contract = model.contract
    documents = example_documents(contract, model.public_example, limits)
    schemas = request_schemas(contract, limits) | answer_schemas() | protocol_schemas()
    if documents:
        schemas["ServiceInput"]["example"] = next(iter(documents.values()))
    csv = example_csv(contract, model.public_example, limits)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": model.name,
            "version": model.version,
            "description": f"Scores rows by {' or '.join(contract.methods)}.",
        },
        "security": [{"Bearer": []}, {}],
        "paths": paths(model.name, model.version, documents, csv, overload_status),
        "components": {"schemas": schemas, "securitySchemes": {"Bearer": BEARER}},
    }


CONVERT: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "2": to_2,
    "3": to_3_0,
    "3.1": lambda document: document,
}
