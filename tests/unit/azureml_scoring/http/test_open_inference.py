"""The open protocol's answers, from a service whose model is a function."""

import io
import struct
from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pytest

from azureml_scoring.body_budget import BodyBudget
from azureml_scoring.http.body_reader import BodyReader
from azureml_scoring.http.open_inference import OpenInference, is_protocol_path
from azureml_scoring.http.request_reader import RequestReader
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.limits import Limits
from function_service import Source, service

ROWS = {"inputs": [{"name": "a", "shape": [2, 1], "datatype": "FP64", "data": [1.5, 2.5]}]}


def ask(
    route: str,
    document: object = None,
    predict: Any = None,
    *,
    ready: bool = True,
    tail: bytes = b"",
    features: tuple[Feature, ...] = (Feature("a"),),
    **more: Any,
) -> tuple[int, Any]:
    """Ask a route by its name; ``more``: names in its path, and headers in capital letters."""
    source = Source(predict or (lambda batch: batch.X[:, 0].tolist()))
    source.loaded.contract = Contract(features, ("predict",))
    status = 200 if ready else 503
    health = SimpleNamespace(readiness=lambda: ({}, status), liveness=lambda: ({}, 200))
    reader = RequestReader(BodyReader(Limits(), BodyBudget(10**6)))
    protocol = OpenInference(service(source=source), reader, source, health)
    (answer,) = [answer for name, _, _, answer in protocol.routes if name == route]
    body = b"" if document is None else orjson.dumps(document) + tail
    environ = {"REQUEST_METHOD": "POST", "wsgi.input": io.BytesIO(body)}
    environ |= {key: more.pop(key) for key in [*more] if key.isupper()}
    got = answer(environ, **more)
    length = got.headers.get("Inference-Header-Content-Length")
    if length is None:
        return got.status, orjson.loads(got.body)
    assert got.content_type == "application/octet-stream"
    return got.status, (orjson.loads(got.body[: int(length)]), got.body[int(length) :])


def test_tensors_are_answered_by_a_tensor_that_is_named_after_the_method():
    """With the request's id, and the model's name and version."""
    status, answer = ask("v2_infer", ROWS | {"id": "7"}, name="m")
    output = {"name": "predict", "datatype": "FP64", "shape": [2], "data": [1.5, 2.5]}
    assert status == 200
    assert answer == {
        "id": "7", "model_name": "m", "model_version": "v1.2.3", "outputs": [output],
    }  # fmt: skip
    assert ask("v2_infer_version", ROWS, name="m", version="v1.2.3")[0] == 200


def test_the_protocols_answers_are_json_whatever_the_client_accepts():
    """The header asks for another form of the answers of /score only."""
    for accept in ("text/csv", "image/png"):
        assert ask("v2_infer", ROWS, name="m", HTTP_ACCEPT=accept)[0] == 200


def binary(raw: bytes, output: object = None, **parameters: object) -> dict[str, Any]:
    """What tritonclient sends for one binary input."""
    tensor = {"name": "a", "shape": [2, 1], "datatype": "FP64"}
    size = {"parameters": {"binary_data_size": len(raw)}}
    head: dict[str, Any] = {"inputs": [tensor | size], "parameters": parameters}
    if output is not None:
        head["outputs"] = [output]
    length = str(len(orjson.dumps(head)))
    return {"document": head, "tail": raw, "HTTP_INFERENCE_HEADER_CONTENT_LENGTH": length}


RAW = struct.pack("<2d", 1.5, 2.5)


@pytest.mark.parametrize(
    ("output", "parameters", "is_binary"),
    [
        (None, {}, False),
        (None, {"binary_data_output": True}, True),
        ({"name": "predict", "parameters": {"binary_data": True}}, {}, True),
        (
            {"name": "predict", "parameters": {"binary_data": False}},
            {"binary_data_output": True},
            False,
        ),
    ],
)
def test_tensors_may_be_bytes_behind_the_json(output: Any, parameters: Any, is_binary: bool):
    """In the request, in the answer, or in both, as tritonclient sends and asks for them."""
    sent = binary(RAW, output, **parameters)
    status, answer = ask("v2_infer", name="m", CONTENT_TYPE="application/octet-stream", **sent)
    assert status == 200
    if is_binary:
        answer, raw = answer
        assert raw == RAW
        assert answer["outputs"][0]["parameters"] == {"binary_data_size": 16}
    else:
        assert answer["outputs"][0]["data"] == [1.5, 2.5]


def test_binary_answers_hold_texts_behind_their_lengths():
    """And missing numbers as NaN."""
    asked = ROWS | {"parameters": {"binary_data_output": True}}
    assert ask("v2_infer", asked, lambda batch: ["x", "é"], name="m")[1][1] == (
        b"\1\0\0\0x\2\0\0\0\xc3\xa9"
    )
    _, (_, raw) = ask("v2_infer", asked, lambda batch: [True, False], name="m")
    assert raw == b"\1\0"
    _, (_, raw) = ask("v2_infer", asked, lambda batch: [2**64 - 1, 0], name="m")
    assert raw == b"\xff" * 8 + bytes(8)
    _, (_, raw) = ask("v2_infer", asked, lambda batch: [1.5, None], name="m")
    assert np.array_equal(np.frombuffer(raw, "<f8"), [1.5, np.nan], equal_nan=True)


@pytest.mark.parametrize(
    ("predictions", "datatype", "shape", "data"),
    [
        ([1, 0], "INT64", [2], [1, 0]),
        ([2**64 - 1, 0], "UINT64", [2], [2**64 - 1, 0]),
        ([2**64 - 1, -1], "BYTES", [2], ["18446744073709551615", "-1"]),
        ([1, None], "FP64", [2], [1, None]),
        ([True, False], "BOOL", [2], [True, False]),
        ([[0.25, 0.75], [1, 0.0]], "FP64", [2, 2], [0.25, 0.75, 1, 0.0]),
        (["x", "y"], "BYTES", [2], ["x", "y"]),
        ([["x"], ["y", "z"]], "BYTES", [2], ['["x"]', '["y","z"]']),
    ],
)
def test_predictions_of_any_type_become_a_tensor(
    predictions: list[Any], datatype: str, shape: list[int], data: list[Any]
):
    """Row by row; what is no tensor is a text of JSON."""
    _, answer = ask("v2_infer", ROWS, lambda batch: predictions, name="m")
    (output,) = answer["outputs"]
    assert (output["datatype"], output["shape"], output["data"]) == (datatype, shape, data)


def test_the_older_protocol_answers_predictions_alone():
    """TensorFlow Serving's form, as KServe's older clients send it."""
    assert ask("v1_predict", {"instances": [[1.5], [2.5]]}, name="m") == (
        200, {"predictions": [1.5, 2.5]},
    )  # fmt: skip
    assert ask("v1_model", name="m") == (200, {"name": "m", "ready": True})


@pytest.mark.parametrize(
    ("route", "document", "names", "status", "words"),
    [
        ("v2_infer", ROWS, {"name": "other"}, 404, "The model here is m, version v1.2.3."),
        ("v2_infer_version", ROWS, {"name": "m", "version": "v9"}, 404, "version v1.2.3"),
        ("v1_predict", {"instances": [[1]]}, {"name": "other"}, 404, "The model here is m"),
        ("v1_predict", {"instances": [["x"]]}, {"name": "m"}, 422, "must be a number"),
        ("v2_infer", {"inputs": []}, {"name": "m"}, 400, "at least one input"),
        ("v2_infer", None, {"name": "m"}, 400, "empty"),
        ("v2_infer", ROWS, {"name": "m", "HTTP_INFERENCE_HEADER_CONTENT_LENGTH": "x"}, 400, "JSON"),
        ("v2_infer", ROWS, {"name": "m", "HTTP_INFERENCE_HEADER_CONTENT_LENGTH": "0"}, 400, "JSON"),
        (
            "v2_infer",
            ROWS,
            {"name": "m", "HTTP_INFERENCE_HEADER_CONTENT_LENGTH": "9" * 9},
            400,
            "more than",
        ),
    ],
)
def test_an_error_has_the_protocols_shape(
    route: str, document: object, names: dict[str, str], status: int, words: str
):
    """One text under the key error, with the status of the service."""
    got, answer = ask(route, document, **names)
    assert (got, list(answer)) == (status, ["error"])
    assert words in answer["error"]


@pytest.mark.parametrize(
    ("feature", "datatype"),
    [
        (Feature("a", "float32"), "FP32"),
        (Feature("a", "str"), "BYTES"),
        (Feature("a", "category", categories=("x", "y")), "BYTES"),
        (Feature("a", "category", categories=(1, 2)), "INT64"),
        (Feature("a", "category", categories=(0.5, 2)), "FP64"),
        (Feature("a", "category", categories=(True, False)), "BOOL"),
    ],
)
def test_a_models_inputs_have_the_types_of_the_values_that_it_takes(
    feature: Feature, datatype: str
):
    """Categories of numbers are sent as numbers."""
    (tensor,) = ask("v2_model", name="m", features=(feature,))[1]["inputs"]
    assert tensor == {"name": "a", "datatype": datatype, "shape": [-1]}


def test_health_and_metadata_are_told():
    """Readiness is that of the service's own probe."""
    assert ask("v2_live") == (200, {"live": True})
    assert ask("v2_ready", ready=False) == (503, {"ready": False})
    assert ask("v2_model_ready", name="m") == (200, {"name": "m", "ready": True})
    assert ask("v2_model_ready", name="x")[0] == 404
    assert ask("v2")[1]["extensions"] == ["binary_tensor_data"]


@pytest.mark.parametrize(
    ("path", "scores"),
    [
        ("/v2/models/m/infer", True),
        ("/v2/models/m/versions/1/infer", True),
        ("/v1/models/m:predict", True),
        ("/v1/models/m", False),
        ("/v2", False),
        ("/score", False),
    ],
)
def test_only_paths_that_score_have_a_body(path: str, scores: bool):
    """Our worker reads no body for the others."""
    assert is_protocol_path(path) is scores
