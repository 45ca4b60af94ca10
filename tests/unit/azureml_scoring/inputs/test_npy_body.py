"""What is taken of an array, and what is wrong with one."""

import struct
from typing import Any

import numpy as np
import pytest

import columnar_forms
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.media_types import NPY
from columnar_forms import refusal
from validated import NAMED, UNNAMED
from validation import validate


def npy(header: str, values: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + values


@pytest.mark.parametrize(
    ("body", "code", "location"),
    [
        (b"", "empty_body", ""),
        (b"\x93NUMPY", "malformed_npy", ""),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2)}"), "malformed_npy", ""),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10**9, 2)}"), "malformed_npy", ""),
        (
            npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 2)}"),
            "too_many_elements",
            "",
        ),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': (1, 2)}"), "wrong_type", ""),
        (npy("{'descr': '<U9', 'fortran_order': False, 'shape': (1, 2)}"), "wrong_type", ""),
        (npy("(" * 900), "malformed_npy", ""),
        (npy(" " * 2000), "malformed_npy", ""),
        (columnar_forms.as_npy(np.ones((1, 3)))[0], "wrong_features", ""),
        (columnar_forms.as_npy(np.ones((1, 2, 2)))[0], "wrong_shape", ""),
        (columnar_forms.as_npy(np.ones((0, 2)))[0], "empty_batch", ""),
        (columnar_forms.as_npy(np.array([[1, np.inf]]))[0], "wrong_type", "/0/1"),
        (columnar_forms.as_npy(np.array([[1, 2], [np.nan, 2]]))[0], "missing_value", "/1/0"),
        (columnar_forms.as_npy(np.array([[True, False]]))[0], "wrong_type", "/0/0"),
    ],
)
def test_what_is_wrong_with_an_array_is_named_with_its_place(body: bytes, code: str, location: str):
    """No header makes us read objects, or more than is there."""
    error = refusal(body, NAMED, NPY)
    assert (error.code, error.location) == (code, location)


@pytest.mark.parametrize(
    ("order", "dtype"), [("<", "int64"), (">", "int64"), ("<", "uint64"), (">", "uint64")]
)
def test_whole_numbers_of_an_array_lose_no_digits(order: Any, dtype: str):
    """In either order of the bytes, beyond what a float holds."""
    contract = Contract((Feature(None, dtype),), ("predict",))
    numbers = [[2**53 + 1], [2**63 - 1]]
    array = np.array(numbers, np.dtype(dtype).newbyteorder(order))
    body, media_type = columnar_forms.as_npy(array)
    assert validate(body, contract, Limits(), media_type).X.tolist() == numbers


def test_an_array_of_one_dimension_is_one_row():
    """As a flat list is in JSON."""
    body, media_type = columnar_forms.as_npy(np.array([1, 2], ">i4"))
    assert validate(body, UNNAMED, Limits(), media_type).X.tolist() == [[1.0, 2.0]]
