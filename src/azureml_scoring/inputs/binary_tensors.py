"""Parses a request of the Open Inference Protocol with binary tensors: JSON, then the raw bytes of
inputs in their order.

https://github.com/triton-inference-server/server, docs/protocol/extension_binary_data.md
"""

from __future__ import annotations

import math
from typing import Any, NoReturn

import numpy as np

from azureml_scoring.errors import MalformedTensors, TooManyElements
from azureml_scoring.inputs import tensors
from azureml_scoring.inputs.arrays import values_of
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.media_types import BOM
from azureml_scoring.inputs.options import Options
from azureml_scoring.inputs.payload import read_json
from azureml_scoring.inputs.table import Table
from azureml_scoring.inputs.unique_keys import check_unique

FRAME_BYTES = 8
LENGTH_BYTES = 4
"""Of the length before each text."""

SIZE = "binary_data_size"


def framed(json_bytes: int, body: bytes) -> bytes:
    """Return a body that knows where its JSON ends: what ``parse`` takes."""
    return json_bytes.to_bytes(FRAME_BYTES, "little") + body


def head_of(frame: bytes) -> bytes:
    """Return the JSON of a framed body."""
    return frame[FRAME_BYTES : FRAME_BYTES + int.from_bytes(frame[:FRAME_BYTES], "little")]


def parse(frame: bytes, contract: Contract, limits: Limits) -> tuple[Table, Options]:
    """Parse and check a framed body. Raises ClientError, whose location is in the JSON."""
    limits.check_bytes(len(frame) - FRAME_BYTES)
    head, rest = head_of(frame), memoryview(frame)[FRAME_BYTES:]
    if len(head) < int.from_bytes(frame[:FRAME_BYTES], "little"):
        _malformed("Inference-Header-Content-Length is more than the whole body")
    rest = rest[len(head) :]
    document = read_json(head, limits)
    check_unique(head.removeprefix(BOM), 0, document)  # now, while it has no values
    inputs = document.get(tensors.INPUTS) if isinstance(document, dict) else None
    elements = 0
    for index, tensor in enumerate(inputs if isinstance(inputs, list) else []):
        parameters = tensor.get(tensors.PARAMETERS) if isinstance(tensor, dict) else None
        if not isinstance(parameters, dict) or SIZE not in parameters:
            continue
        place = f"/{tensors.INPUTS}/{index}"
        size = parameters[SIZE]
        if type(size) is not int or not 0 <= size <= len(rest):
            _malformed(f'"{SIZE}" must be a number of bytes that the body has', place)
        if "data" in tensor:
            _malformed(f'An input has either "data" or "{SIZE}"', place)
        count = _count(tensor, place)
        elements += count
        if elements > limits.max_elements:
            raise TooManyElements(
                f"Input array too large: {elements} elements. Maximum {limits.max_elements:,} "
                f"allowed.",
                place,
            )
        tensor["data"] = _values(rest[:size], count, tensor["datatype"], place)
        rest = rest[size:]
    if rest:
        _malformed("Bytes are left over behind the last binary tensor")
    return tensors.read(document, contract, limits)


def _count(tensor: dict[str, Any], place: str) -> int:
    """Return how many values a tensor has. Raises ClientError."""
    shape, _ = tensors.checked(tensor | {"data": []}, place)
    return math.prod(shape)


def _values(data: memoryview, count: int, datatype: str, place: str) -> list[Any]:
    """Return the values of a binary tensor. Raises ClientError."""
    if datatype == tensors.TEXTS:
        return _texts(data, count, place)
    dtype = np.dtype(tensors.NUMPY_TYPES[datatype])
    if len(data) != count * dtype.itemsize:
        _malformed(f'"{SIZE}" must be the product of the shape times {dtype.itemsize}', place)
    if datatype == "BOOL" and np.frombuffer(data, np.uint8).max(initial=0) > 1:
        _malformed("A BOOL is a byte of 0 or 1", place)
    return values_of(np.frombuffer(data, dtype), lambda index: f"{place}/data/{index}")


def _texts(data: memoryview, count: int, place: str) -> list[str]:
    """Return texts, each of which stands behind its length."""
    texts: list[str] = []
    start = 0
    while start < len(data) and len(texts) < count:
        begin = start + LENGTH_BYTES
        start = begin + int.from_bytes(data[start:begin], "little")
        if max(begin, start) > len(data):
            _malformed("A length of BYTES reaches beyond its tensor", place)
        try:
            texts.append(str(data[begin:start], "utf-8"))
        except UnicodeDecodeError:
            _malformed("A text of BYTES is not in UTF-8", place)
    if start != len(data) or len(texts) != count:
        _malformed("BYTES must have as many texts as the shape says", place)
    return texts


def _malformed(what: str, place: str = "") -> NoReturn:
    raise MalformedTensors(f"{what}; see the protocol's binary tensor data extension.", place)
