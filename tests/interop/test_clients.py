"""The open protocol as clients of others speak it, against a running server of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest

import support
from blackbox.server import Server
from interop.conftest import NAME, VERSION, call

pytestmark = pytest.mark.any_worker


@pytest.fixture(scope="module")
def expected(ours: Server, rows: list[list[float]]) -> dict[str, list[Any]]:
    return {
        method: ours.score({"data": rows, "method": method}).json()["predictions"]
        for method in ("predict", "predict_proba")
    }


@pytest.fixture(scope="module")
def by_triton(ours: Server, rows: list[list[float]]) -> Any:
    words = (NAME, json.dumps(support.NAMES), json.dumps(rows))
    return json.loads(call("clients", "triton.py", f"127.0.0.1:{ours.port}", *words))


@pytest.fixture(scope="module")
def by_kserve(ours: Server, rows: list[list[float]]) -> Any:
    words = (NAME, json.dumps(support.NAMES), json.dumps(rows))
    return json.loads(call("clients", "kserve_rest.py", ours.url, *words))


def test_tritonclient_gets_the_predictions_of_score(by_triton: Any, expected: Any):
    """Tensors are JSON or bytes, on the way there and back; the output is a method's."""
    for key, answer in by_triton["answers"].items():
        _, asked, method = key.split(", ")
        name = "predict" if method == "None" else method
        assert (answer["name"], answer["id"]) == (name, "7")
        assert answer["values"] == expected[name], key
        assert answer["dtype"] == {"predict": "int64"}.get(name, "float64")
        assert answer["binary"] is (method == "None" or asked == "binary"), key
    assert by_triton["columns"]["values"] == expected["predict"]
    assert by_triton["packed"] == expected["predict"]


def test_tritonclient_reads_what_the_server_says_of_itself(by_triton: Any):
    """It is live and ready; the model's metadata name its inputs and outputs."""
    assert [by_triton[key] for key in ("live", "ready", "model ready")] == [True] * 3
    assert by_triton["other model ready"] is False
    assert by_triton["server"]["extensions"] == ["binary_tensor_data"]
    model = by_triton["model"]
    assert (model["name"], model["versions"]) == (NAME, [VERSION])
    assert [tensor["name"] for tensor in model["inputs"]] == support.NAMES
    outputs = {output["name"]: (output["datatype"], output["shape"]) for output in model["outputs"]}
    assert outputs["predict"] == ("INT64", [-1])
    assert outputs["predict_proba"] == ("FP64", [-1, 2])


def test_tritonclient_raises_our_errors(by_triton: Any):
    """With the status, and the sentence that says what to do."""
    errors = by_triton["errors"]
    assert errors["other model"] == ["404", f"The model here is {NAME}, version {VERSION}."]
    assert errors["width"][0] == errors["method"][0] == errors["infinite"][0] == "422"
    assert "one tensor of the shape [rows, 10]" in errors["width"][1]
    assert errors["method"][1].startswith("The model has the methods predict, ")


def test_kserves_client_gets_the_predictions_of_score(by_kserve: Any, expected: Any):
    """In V2 in JSON, in bytes and as a DataFrame; in V1 as a list."""
    for form in ("JSON", "binary", "binary answer", "columns"):
        answer = {"id": "7", "name": "predict", "values": expected["predict"]}
        assert by_kserve[form] == answer, form
    assert by_kserve["V1"] == expected["predict"]
    ready = ("live", "ready", "model ready", "V1 model ready")
    assert [by_kserve[key] for key in ready] == [True] * 4


def test_kserves_client_raises_our_errors(by_kserve: Any):
    """It reads the sentence only of an answer whose type is JSON and nothing else."""
    for status, message in by_kserve["errors"].values():
        assert status == 422
        assert "must have 10 values" in message
