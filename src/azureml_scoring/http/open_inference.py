"""The Open Inference Protocol (V2), and TensorFlow Serving's (V1) as KServe's older clients speak
it: JSON, through Flask.

Each request is one of the service's, with the same admission, limits, cache and log line. Only the
answer is written differently, and errors have the protocol's shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Protocol

import numpy as np
import orjson

from azureml_scoring.errors import UnsupportedContentType
from azureml_scoring.http.body_reader import Environ
from azureml_scoring.http.request_reader import RequestReader
from azureml_scoring.http.wanted import BEGAN, wanted_for_s
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import CATEGORY, Feature
from azureml_scoring.inputs.media_types import BOM, JSON, TENSORS
from azureml_scoring.models.model import Model
from azureml_scoring.request import Answer
from azureml_scoring.service import Service
from azureml_scoring.signals.health import Probe

BINARY_HEADER = "HTTP_INFERENCE_HEADER_CONTENT_LENGTH"

DATATYPES = {"bool": "BOOL", "float16": "FP16", "float32": "FP32", "float64": "FP64"} | {
    f"{sign}int{bits}": f"{sign}int{bits}".upper() for sign in ("", "u") for bits in (8, 16, 32, 64)
}
"""The protocol's name of a feature's dtype; of all others it is BYTES."""

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
        return _json({"name": "azureml-scoring", "version": version, "extensions": []})

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
                "outputs": [],
                "parameters": {"methods": list(model.contract.methods)},
            }
        )

    def _infer(self, environ: Environ, name: str, version: str | None = None) -> Answer:
        """Score tensors; the output is named after the method."""
        if unknown := self._unknown(name, version):
            return unknown
        if BINARY_HEADER in environ:
            error = UnsupportedContentType(
                "Send tensors as JSON (tritonclient: binary_data=False); there is no binary "
                "extension."
            )
            return _error(error.message, int(error.status))
        answer, sent = self._score(environ, TENSORS)
        if answer.status != HTTPStatus.OK:
            return _restated(answer)
        document, request = orjson.loads(answer.body), orjson.loads(sent)
        outputs = request.get("outputs") or [{}]
        model: Any = self._source.loaded
        method = outputs[0].get("name") or model.contract.methods[0]
        body = {
            "model_name": document["metadata"]["model_name"],
            "model_version": document["metadata"]["model_version"],
            "outputs": [_output(method, document["predictions"])],
        }
        return _json(body | ({"id": request["id"]} if "id" in request else {}))

    def _predict(self, environ: Environ, name: str) -> Answer:
        """Score ``{"instances": ...}``."""
        if unknown := self._unknown(name, None):
            return unknown
        answer, _ = self._score(environ, JSON)
        if answer.status != HTTPStatus.OK:
            return _restated(answer)
        return _json({"predictions": orjson.loads(answer.body)["predictions"]})

    def _score(self, environ: Environ, media_type: str) -> tuple[Answer, bytes]:
        """Return the service's answer, and the body."""
        environ = {**environ, "CONTENT_TYPE": environ.get("CONTENT_TYPE") or JSON}
        due = self._service.admission.due(environ.get(BEGAN), wanted_for_s(environ))
        request = self._reader(environ, due)
        sent = b""

        def read() -> bytes:
            nonlocal sent
            sent = request.read()
            return sent

        answer = self._service.score(request._replace(read=read, media_type=media_type), due)
        return answer, sent.removeprefix(BOM)

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
        datatype = DATATYPES.get(contract.dtype.name, "BYTES")
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
    return DATATYPES.get(dtype, "BYTES")


def _output(name: str, predictions: list[Any]) -> dict[str, Any]:
    """Return predictions as a tensor, row by row; answers that are none become texts of JSON."""
    shape, data = [len(predictions)], predictions
    while data and all(isinstance(part, list) for part in data) and len({*map(len, data)}) == 1:
        shape.append(len(data[0]))
        data = [value for part in data for value in part]
    types = set(map(type, data)) - {type(None)}
    for accepted, datatype in (({bool}, "BOOL"), ({int}, "INT64"), ({int, float}, "FP64")):
        if types <= accepted and (datatype == "FP64" or None not in data):
            return {"name": name, "datatype": datatype, "shape": shape, "data": data}
    texts = [value if isinstance(value, str) else orjson.dumps(value).decode() for value in data]
    return {"name": name, "datatype": "BYTES", "shape": shape, "data": texts}


def _restated(answer: Answer) -> Answer:
    """Give an error of the service the protocol's shape."""
    return _error(orjson.loads(answer.body)["error"], answer.status, answer.headers)


def _error(message: str, status: int, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(int(status), orjson.dumps({"error": message}), headers or {})


def _json(body: Any, status: int = HTTPStatus.OK) -> Answer:
    return Answer(int(status), orjson.dumps(body))
