"""A body that holds nothing but rows of numbers, from its bytes into one array.

It knows no mistakes: a body that is anything else gives None, and payload.py tells what it is or
what is wrong with it. A test holds the two to the same values, to the last bit.
"""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np
import orjson
import simdjson

from azureml_scoring.body_budget import LARGE_BODY_BYTES
from azureml_scoring.inputs.payload import Limits

FEW = 256
"""Bytes, a row or two: those are cheaper by way of Python's own numbers, which the request's other
JSON needs too."""

FILLING = b"0123456789+-.eE \t\r\n"
"""What numbers and white space are made of. Without it a body shows its form: brackets, commas and
names."""

HEADS = {b"": "", b'{"data":': "data", b'{"input_data":': "input_data"}
"""What comes before the rows -> what they are called."""

TAILS = (b"", b"}")
"""What comes after them, but for a method."""

DEPTH = 3
AROUND = 1_000
"""Bytes before and after the rows."""


def numbers(body: bytes, features: int, limits: Limits) -> tuple[np.ndarray, str | None] | None:
    """Rows of ``features`` numbers each, within the limits, and the method as sent, if it was; None
    of anything else.

    The array: (rows, features), float64, C order, writable, -0.0 being 0.0.
    """
    if len(body) > limits.max_bytes or limits.max_depth < DEPTH or features > limits.max_features:
        return None
    form = (
        body.translate(None, FILLING)
        if len(body) <= LARGE_BODY_BYTES
        else _form(body, limits.max_rows * (features + 2))
    )
    rows = form.count(b"[") - 1
    if not 0 < rows <= limits.max_rows or rows * features > limits.max_elements:
        return None
    head, found, tail = form.partition(_rows(rows, features))
    if not found or head not in HEADS:
        return None
    try:
        few = len(body) <= FEW
        document: Any = orjson.loads(body) if few else _parse(body)
        method = None if tail in TAILS else _method(document, tail)
        values = document[HEADS[head]] if head else document
        if few:
            X = np.array(values, np.float64)
            X += 0.0
        else:
            X = np.frombuffer(values.as_buffer(of_type="d")).reshape(-1, features) + 0.0
        return (X, method) if X.shape == (rows, features) else None
    except (ValueError, TypeError, RuntimeError, LookupError):  # the parsers raise all of them
        return None


def _form(body: bytes, most: int) -> bytes:
    """In pieces, so that no other thread waits long for the interpreter. Empty, where it is longer
    than that of so many rows with all that may stand around them."""
    form = bytearray()
    for start in range(0, len(body), LARGE_BODY_BYTES):
        form += body[start : start + LARGE_BODY_BYTES].translate(None, FILLING)
        if len(form) > most + AROUND:
            return b""
    return bytes(form)


@functools.lru_cache(maxsize=16)
def _rows(count: int, features: int) -> bytes:
    """The form of so many."""
    row = b"[" + b"," * (features - 1) + b"]"
    return b"[" + b",".join([row] * count) + b"]"


def _method(document: Any, tail: bytes) -> str:
    """Raises ValueError where anything else is sent, or it is no text."""
    method = document["method"]
    if tail.count(b'"') != 4 or len(document) != 2 or not isinstance(method, str):
        raise ValueError
    return method


class _Parser(threading.local):
    """It reuses its memory, so each thread needs one of its own."""

    def __init__(self) -> None:
        self.parse = simdjson.Parser().parse


_parser = _Parser()


def _parse(body: bytes) -> Any:
    """It keeps several times the largest body that it has met: too much in each thread for a large
    one."""
    return (_parser if len(body) <= LARGE_BODY_BYTES else simdjson.Parser()).parse(body)
