"""Parses an array as ``numpy.save`` writes it into a table: rows of numbers or booleans in the
order of the fit, or one row of them. NaN is a missing value.

https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import ast
import math
import re
from typing import Any, NoReturn

import numpy as np

from azureml_scoring.errors import MalformedNpy, WrongShape, WrongType
from azureml_scoring.inputs.arrays import values_of
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.decoders import rows
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.options import NO_OPTIONS, Options
from azureml_scoring.inputs.table import Table, check_size

MAGIC = b"\x93NUMPY"
LENGTH_BYTES_OF_VERSION = {b"\x01\x00": 2, b"\x02\x00": 4, b"\x03\x00": 4}
MAX_HEADER_BYTES = 1_024
"""numpy writes 128 for an array of a plain type."""

PLAIN_TYPE = re.compile(r"[<>|=](b1|[iu][1248]|f[248])")
KEYS = {"descr", "fortran_order", "shape"}


def parse(body: bytes, contract: Contract, limits: Limits) -> tuple[Table, Options]:
    """Parse and check a body. Raises ClientError, whose location is ``/row/column``."""
    limits.check_body(body)
    header, start = _header(body)
    descr, fortran_order, shape = (header[key] for key in sorted(KEYS))
    if not isinstance(descr, str) or not PLAIN_TYPE.fullmatch(descr):
        raise WrongType(
            "The array must hold numbers or booleans, each of at most 8 bytes; no objects.", ""
        )
    if len(shape) not in (1, 2):
        raise WrongShape("The array must have two dimensions, rows and columns; or one row.", "")
    dtype, count = np.dtype(descr), math.prod(shape)
    row_count, width = shape if len(shape) == 2 else (1, *shape)
    check_size(count, row_count, width, "", limits)
    if len(body) - start != count * dtype.itemsize:
        _malformed("The array does not have as many bytes as its header says")
    array = np.frombuffer(body, dtype, count, start).reshape(
        shape, order="F" if fortran_order else "C"
    )
    if dtype.kind == "b" and np.frombuffer(body, np.uint8, count, start).max(initial=0) > 1:
        _malformed("A boolean of the array is neither 0 nor 1")

    def location(*place: int) -> str:
        return "".join(f"/{index}" for index in place)

    return rows.decode(values_of(array, location), "", contract, limits), NO_OPTIONS


def _header(body: bytes) -> tuple[dict[str, Any], int]:
    """Return the array's header, and where its values begin. Raises MalformedNpy."""
    length_bytes = LENGTH_BYTES_OF_VERSION.get(body[6:8])
    if not body.startswith(MAGIC) or length_bytes is None:
        _malformed("The body is not an array as numpy.save writes it")
    begin = 8 + length_bytes
    length = int.from_bytes(body[8:begin], "little")
    if length > min(MAX_HEADER_BYTES, len(body) - begin):
        _malformed("The header of the array is too long, or cut off")
    start = begin + length
    try:
        header = ast.literal_eval(body[begin:start].decode("latin-1").strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        header = None
    if not (
        isinstance(header, dict)
        and header.keys() == KEYS
        and isinstance(header["fortran_order"], bool)
        and isinstance(header["shape"], tuple)
        and all(type(length) is int and length >= 0 for length in header["shape"])
    ):
        _malformed("The header of the array is not as numpy.save writes it")
    return header, start


def _malformed(what: str) -> NoReturn:
    raise MalformedNpy(f"{what}; send what numpy.save wrote, whole.", "")
