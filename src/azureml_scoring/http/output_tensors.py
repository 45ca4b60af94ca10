"""Predictions as tensors of the Open Inference Protocol, in JSON or behind it as bytes.

https://github.com/triton-inference-server/server, docs/protocol/extension_binary_data.md
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from types import NoneType
from typing import Any

import numpy as np
import orjson

from azureml_scoring.inputs.binary_tensors import LENGTH_BYTES, SIZE
from azureml_scoring.inputs.tensors import NUMPY_TYPES, TEXTS
from azureml_scoring.request import Answer

MAX_INT64 = 2**63 - 1


def output_tensor(name: str, predictions: list[Any]) -> dict[str, Any]:
    """Return predictions as a tensor, row by row; answers that are none become texts of JSON."""
    shape, data = [len(predictions)], predictions
    while data and all(isinstance(part, list) for part in data) and len({*map(len, data)}) == 1:
        shape.append(len(data[0]))
        data = [value for part in data for value in part]
    datatype = _datatype(data)
    if datatype == TEXTS:
        data = [value if isinstance(value, str) else orjson.dumps(value).decode() for value in data]
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def output_metadata(name: str, predictions: list[Any]) -> dict[str, Any]:
    """Return name, datatype and shape of an output that has answered these predictions."""
    tensor = output_tensor(name, predictions)
    del tensor["data"]
    return tensor | {"shape": [-1, *tensor["shape"][1:]]}


def _datatype(data: list[Any]) -> str:
    types = set(map(type, data))
    if types == {bool}:
        return "BOOL"
    if types == {int}:
        return "INT64" if max(data) <= MAX_INT64 else "UINT64" if min(data) >= 0 else TEXTS
    return "FP64" if types <= {int, float, NoneType} else TEXTS


def wants_binary(request: Mapping[str, Any], output: Mapping[str, Any]) -> bool:
    """Return True if the output of a request is to be bytes."""
    by_default = _parameter(request, "binary_data_output") is True
    binary = _parameter(output, "binary_data")
    return by_default if binary is None else binary is True


def _parameter(holder: Mapping[str, Any], name: str) -> Any:
    parameters = holder.get("parameters")
    return parameters.get(name) if isinstance(parameters, dict) else None


def with_binary(body: dict[str, Any]) -> Answer:
    """Return an answer whose outputs stand behind its JSON."""
    outputs, tensors = [], []
    for tensor in body["outputs"]:
        raw = _raw(tensor["datatype"], tensor["data"])
        tensors.append(raw)
        rest = {key: value for key, value in tensor.items() if key != "data"}
        outputs.append(rest | {"parameters": {SIZE: len(raw)}})
    head = orjson.dumps(body | {"outputs": outputs})
    headers = {"Inference-Header-Content-Length": str(len(head))}
    return Answer(
        HTTPStatus.OK, head + b"".join(tensors), headers, content_type="application/octet-stream"
    )


def _raw(datatype: str, data: list[Any]) -> bytes:
    if datatype == TEXTS:
        texts = [text.encode() for text in data]
        return b"".join(len(text).to_bytes(LENGTH_BYTES, "little") + text for text in texts)
    return np.array(data, NUMPY_TYPES[datatype]).tobytes()
