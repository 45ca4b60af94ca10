"""Requests of the Open Inference Protocol with binary tensors."""

import contextlib
import struct
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_scoring import errors
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.binary_tensors import framed
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.media_types import BINARY_TENSORS
from validated import NAMED, one
from validation import validate

MIXED = Contract(
    (Feature("a", missing=True), Feature("b", "str"), Feature("c", "bool")), ("predict",)
)


def tensor(shape: list[int], datatype: str, size: Any, name: str = "x", **more: Any) -> Any:
    parameters = {"binary_data_size": size}
    return {"name": name, "shape": shape, "datatype": datatype, "parameters": parameters} | more


def read(
    inputs: Any, raw: bytes, contract: Contract = NAMED, limits: Limits | None = None
) -> Batch:
    head = orjson.dumps({"inputs": inputs})
    frame = framed(len(head), head + raw)
    return validate(frame, contract, limits or Limits(), BINARY_TENSORS)


@pytest.mark.parametrize(
    ("datatype", "form"),
    [
        ("FP64", "<4d"), ("FP32", "<4f"), ("FP16", "<4e"), ("INT64", "<4q"), ("INT32", "<4i"),
        ("INT16", "<4h"), ("INT8", "<4b"), ("UINT64", "<4Q"), ("UINT32", "<4I"),
        ("UINT16", "<4H"), ("UINT8", "<4B"),
    ],
)  # fmt: skip
def test_numbers_are_little_endian_and_row_by_row(datatype: str, form: str):
    """Whatever their size."""
    raw = struct.pack(form, 1, 2, 3, 4)
    X = read([tensor([2, 2], datatype, len(raw))], raw).X
    assert X.tolist() == [[1.0, 2.0], [3.0, 4.0]]


COLUMNS = [
    tensor([2], "FP64", 16, "a"),
    {"name": "c", "shape": [2], "datatype": "BOOL", "data": [True, False]},
    tensor([2], "BYTES", 11, "b"),
]
RAW = struct.pack("<2d", 1.5, float("nan")) + b"\1\0\0\0x\2\0\0\0\xc3\xa9"


def test_columns_may_be_binary_or_not():
    """Their bytes stand in the order of the inputs; NaN is null."""
    X = read(COLUMNS, RAW, MIXED).X.tolist()
    assert X[0] == [1.5, "x", True]
    assert X[1][0] != X[1][0]
    assert X[1][1:] == ["é", False]
    assert read([tensor([2, 1], "BOOL", 2)], b"\1\0", one("bool")).X.tolist() == [[True], [False]]


ONE = one("str")
PAIR = tensor([1, 2], "FP64", 16)
INFINITE, WITH_NAN = struct.pack("<2d", 1, float("inf")), struct.pack("<2d", 1, float("nan"))


@pytest.mark.parametrize(
    ("inputs", "raw", "contract", "code", "location"),
    [
        ([PAIR], b"\0" * 15, NAMED, "malformed_tensors", "/inputs/0"),
        ([PAIR], b"\0" * 17, NAMED, "malformed_tensors", ""),
        ([tensor([1, 2], "FP64", 8)], b"\0" * 8, NAMED, "malformed_tensors", "/inputs/0"),
        ([tensor([1, 2], "FP64", -1)], b"", NAMED, "malformed_tensors", "/inputs/0"),
        ([tensor([1, 2], "FP64", True)], b"\0", NAMED, "malformed_tensors", "/inputs/0"),
        ([tensor([1, 2], "FP64", "16")], b"\0" * 16, NAMED, "malformed_tensors", "/inputs/0"),
        ([PAIR | {"data": [1, 2]}], b"\0" * 16, NAMED, "malformed_tensors", "/inputs/0"),
        ([tensor([1, 2], "BF16", 4)], b"\0" * 4, NAMED, "unknown_form", "/inputs/0"),
        ([tensor([10**9, 2], "FP64", 0)], b"", NAMED, "too_many_elements", "/inputs/0"),
        ([tensor([1], "BYTES", 3)], b"\1\0\0", ONE, "malformed_tensors", "/inputs/0"),
        ([tensor([1], "BYTES", 5)], b"\2\0\0\0x", ONE, "malformed_tensors", "/inputs/0"),
        ([tensor([1], "BYTES", 10)], b"\1\0\0\0x" * 2, ONE, "malformed_tensors", "/inputs/0"),
        ([tensor([2], "BYTES", 5)], b"\1\0\0\0x", ONE, "malformed_tensors", "/inputs/0"),
        ([tensor([1], "BYTES", 5)], b"\1\0\0\0\xff", ONE, "malformed_tensors", "/inputs/0"),
        ([tensor([1], "BOOL", 1)], b"\2", one("bool"), "malformed_tensors", "/inputs/0"),
        ([PAIR], INFINITE, NAMED, "wrong_type", "/inputs/0/data/1"),
        ([PAIR], WITH_NAN, NAMED, "missing_value", "/inputs/0/data/0/1"),
        ({}, b"", NAMED, "unknown_form", "/inputs"),
        ([], b"x", NAMED, "malformed_tensors", ""),
    ],
)  # fmt: skip
def test_bytes_that_do_not_match_the_json_are_refused(
    inputs: Any, raw: bytes, contract: Contract, code: str, location: str
):
    """Sizes, what is left over, the lengths before texts, and the values themselves."""
    with pytest.raises(errors.ClientError) as caught:
        read(inputs, raw, contract)
    assert (caught.value.code, caught.value.location) == (code, location)


@given(at=st.integers(0, 400), inserted=st.binary(max_size=4), cut=st.integers(0, 9))
def test_a_damaged_binary_request_gives_a_batch_or_a_client_error(
    at: int, inserted: bytes, cut: int
):
    """Any bytes may stand in the middle, and some may be missing."""
    head = orjson.dumps({"inputs": COLUMNS})
    body = head + RAW
    body = body[:at] + inserted + body[at + cut :]
    with contextlib.suppress(errors.ClientError):
        validate(framed(len(head), body), MIXED, Limits(), BINARY_TENSORS)
