"""The Open Inference Protocol (V2), and TensorFlow Serving's (V1) as KServe's older clients speak
it, through Flask: JSON, or JSON with binary tensors behind it.

Each request is one of the service's, with the same admission, limits, cache and log line. Only the
answer is written differently, and errors have the protocol's shape.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Protocol

import numpy as np
import orjson

from azureml_scoring.errors import MalformedTensors
from azureml_scoring.http.body_reader import Environ
from azureml_scoring.http.output_tensors import (
    output_metadata,
    output_tensor,
    wants_binary,
    with_binary,
)
from azureml_scoring.http.request_reader import RequestReader
from azureml_scoring.http.wanted import BEGAN, wanted_for_s
from azureml_scoring.inputs.binary_tensors import framed, head_of
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import CATEGORY, Feature
from azureml_scoring.inputs.media_types import BINARY_TENSORS, BOM, JSON, TENSORS
from azureml_scoring.inputs.tensors import NUMPY_TYPES, TEXTS
from azureml_scoring.models.model import Model
from azureml_scoring.request import Answer
from azureml_scoring.service import Service
from azureml_scoring.signals.health import Probe

BINARY_HEADER = "HTTP_INFERENCE_HEADER_CONTENT_LENGTH"
"""The key in an environ of the header that says where the JSON ends."""

EXTENSION = "binary_tensor_data"

LENGTH = re.compile(r"0{0,9}[1-9][0-9]{0,9}", re.ASCII)

DATATYPES = {np.dtype(dtype).name: name for name, dtype in NUMPY_TYPES.items()}
"""The protocol's name of a feature's dtype; all others are texts."""

Route = tuple[str, str, str, Callable[..., Answer]]
"""Name, path, method, and the function that answers an environ and the names in the path."""


class Source(Protocol):
    """The source of the model, which may still be loading."""

    @property
    def loaded(self) -> Model | None: ...


class Probes(Protocol):
    def readiness(self) -> Probe: ...

    def liveness(self) -> Probe: ...


class OpenInference:
    """Answers the protocols' paths."""

    def __init__(
        self, service: Service, reader: RequestReader, source: Source, health: Probes
    ) -> None:
        self._service = service
        self._reader = reader
        self._source = source
        self._health = health

    @property
    def routes(self) -> list[Route]:
        one, versioned = "/v2/models/<name>", "/v2/models/<name>/versions/<version>"
        routes: list[Route] = [
            ("v2", "/v2", "GET", self._server),
            ("v2_live", "/v2/health/live", "GET", self._live),
            ("v2_ready", "/v2/health/ready", "GET", self._ready),
            ("v1_predict", "/v1/models/<name>:predict", "POST", self._predict),
            ("v1_model", "/v1/models/<name>", "GET", self._model_ready),
        ]
        for suffix, path in (("", one), ("_version", versioned)):
            routes += [
                (f"v2_model{suffix}", path, "GET", self._model),
                (f"v2_model_ready{suffix}", f"{path}/ready", "GET", self._model_ready),
                (f"v2_infer{suffix}", f"{path}/infer", "POST", self._infer),
            ]
        return routes

    def _server(self, environ: Environ) -> Answer:
        model = self._source.loaded
        version = model.version if model else ""
        return _json({"name": "azureml-scoring", "version": version, "extensions": [EXTENSION]})

    def _live(self, environ: Environ) -> Answer:
        _, status = self._health.liveness()
        return _json({"live": status == HTTPStatus.OK}, status)

    def _ready(self, environ: Environ) -> Answer:
        _, status = self._health.readiness()
        return _json({"ready": status == HTTPStatus.OK}, status)

    def _model_ready(self, environ: Environ, name: str, version: str | None = None) -> Answer:
        if unknown := self._unknown(name, version):
            return unknown
        _, status = self._health.readiness()
        return _json({"name": name, "ready": status == HTTPStatus.OK}, status)

    def _model(self, environ: Environ, name: str, version: str | None = None) -> Answer:
        if unknown := self._unknown(name, version):
            return unknown
        model = self._source.loaded
        if model is None:
            return _error("The model is still loading.", HTTPStatus.SERVICE_UNAVAILABLE)
        return _json(
            {
                "name": model.name,
                "versions": [model.version],
                "platform": model.backend,
                "inputs": _inputs(model.contract),
                "outputs": [
                    output_metadata(method, answers) for method, answers in model.answers.items()
                ],
                "parameters": {"methods": list(model.contract.methods)},
            }
        )

    def _infer(self, environ: Environ, name: str, version: str | None = None) -> Answer:
        """Score tensors; the output is named after the method."""
        if unknown := self._unknown(name, version):
            return unknown
        json_bytes = environ.get(BINARY_HEADER)
        if json_bytes is not None and not LENGTH.fullmatch(json_bytes):
            error = MalformedTensors(
                "Inference-Header-Content-Length must be the number of bytes of the JSON, which "
                "names the inputs."
            )
            return _error(error.message, int(error.status))
        answer, head = self._score(environ, TENSORS, json_bytes and int(json_bytes))
        if answer.status != HTTPStatus.OK:
            return _restated(answer)
        document, request = orjson.loads(answer.body), orjson.loads(head)
        outputs = request.get("outputs") or [{}]
        model: Any = self._source.loaded
        method = outputs[0].get("name") or model.contract.methods[0]
        output = output_tensor(method, document["predictions"])
        body = {
            "model_name": document["metadata"]["model_name"],
            "model_version": document["metadata"]["model_version"],
            "outputs": [output],
        } | ({"id": request["id"]} if "id" in request else {})
        return with_binary(body) if wants_binary(request, outputs[0]) else _json(body)

    def _predict(self, environ: Environ, name: str) -> Answer:
        """Score ``{"instances": ...}``."""
        if unknown := self._unknown(name, None):
            return unknown
        answer, _ = self._score(environ, JSON, None)
        if answer.status != HTTPStatus.OK:
            return _restated(answer)
        return _json({"predictions": orjson.loads(answer.body)["predictions"]})

    def _score(
        self, environ: Environ, media_type: str, json_bytes: int | None
    ) -> tuple[Answer, bytes]:
        """Return the service's answer, and the JSON of the body. ``json_bytes``: its length, if
        binary tensors may follow."""
        kind = JSON if json_bytes is not None else environ.get("CONTENT_TYPE") or JSON
        environ = {**environ, "CONTENT_TYPE": kind, "HTTP_ACCEPT": JSON}
        due = self._service.admission.due(environ.get(BEGAN), wanted_for_s(environ))
        request = self._reader(environ, due)
        head = b""

        def read() -> bytes:
            nonlocal head
            body = head = request.read()
            if json_bytes is not None:
                body = framed(json_bytes, body)
                head = head_of(body)
            return body

        kind = media_type if json_bytes is None else BINARY_TENSORS
        answer = self._service.score(request._replace(read=read, media_type=kind), due)
        return answer, head.removeprefix(BOM)

    def _unknown(self, name: str, version: str | None) -> Answer | None:
        """Return the answer for a model or a version that is not here, or None."""
        model = self._source.loaded
        if model is None or (model.name == name and version in (None, model.version)):
            return None
        return _error(
            f"The model here is {model.name}, version {model.version}.", HTTPStatus.NOT_FOUND
        )


def is_protocol_path(path: str) -> bool:
    """Return True for a path that takes a body to score."""
    return path.startswith("/v2/models/") or (
        path.startswith("/v1/models/") and path.endswith(":predict")
    )


def _inputs(contract: Contract) -> list[dict[str, Any]]:
    """Return one input for each column, or one for all of a model without names."""
    if contract.names is None:
        datatype = DATATYPES.get(contract.dtype.name, TEXTS)
        shape = [-1, len(contract.features)]
        return [{"name": "input-0", "datatype": datatype, "shape": shape}]
    return [
        {"name": feature.name, "datatype": _datatype(feature), "shape": [-1]}
        for feature in contract.features
    ]


def _datatype(feature: Feature) -> str:
    """Return the type of a column; that of categories is their values'."""
    dtype = feature.dtype
    if dtype == CATEGORY and feature.categories:
        dtype = np.asarray(feature.categories).dtype.name
    return DATATYPES.get(dtype, TEXTS)


def _restated(answer: Answer) -> Answer:
    """Give an error of the service the protocol's shape."""
    return _error(orjson.loads(answer.body)["error"], answer.status, answer.headers)


def _error(message: str, status: int, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(int(status), orjson.dumps({"error": message}), headers or {})


def _json(body: Any, status: int = HTTPStatus.OK) -> Answer:
    return Answer(int(status), orjson.dumps(body))
