"""A fast parser for bodies that hold only rows of numbers: from bytes into one array.

It reports no errors: for any other body it returns None, and payload.py parses it or says what is
wrong. A test holds the two parsers to the same values, to the last bit.
"""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np
import orjson
import simdjson

from azureml_scoring.body_budget import LARGE_BODY_BYTES
from azureml_scoring.inputs.limits import Limits

SMALL_BODY_BYTES = 256
"""A row or two: up to this size orjson and Python's own numbers are faster than simdjson."""

NUMBER_BYTES = b"0123456789+-.eE \t\r\n"
"""The bytes of numbers and white space. Without them a body shows its form: brackets, commas and
names."""

ROWS_KEY_OF_HEAD = {b"": ""} | {
    f'{{"{key}":'.encode().translate(None, NUMBER_BYTES): key
    for key in ("data", "input_data", "inputs", "instances")
}
"""The form before the rows -> the key of the rows."""

TAILS_WITHOUT_METHOD = (b"", b"}")
"""The form after the rows, unless a method follows."""

FORM_DEPTH = 3
MAX_BYTES_AROUND_ROWS = 1_000


def numbers(body: bytes, features: int, limits: Limits) -> tuple[np.ndarray, str | None] | None:
    """Parse rows of ``features`` numbers within the limits; None for any other body.

    Returns the array, (rows, features) of float64 in C order, writable, with -0.0 as 0.0; and the
    method, None if the body has none.
    """
    if (
        len(body) > limits.max_bytes
        or limits.max_depth < FORM_DEPTH
        or features > limits.max_features
    ):
        return None
    form = (
        body.translate(None, NUMBER_BYTES)
        if len(body) <= LARGE_BODY_BYTES
        else _form(body, limits.max_rows * (features + 2))
    )
    rows = form.count(b"[") - 1
    if not 0 < rows <= limits.max_rows or rows * features > limits.max_elements:
        return None
    head, separator, tail = form.partition(_form_of_rows(rows, features))
    if not separator or head not in ROWS_KEY_OF_HEAD:
        return None
    try:
        small = len(body) <= SMALL_BODY_BYTES
        document: Any = orjson.loads(body) if small else _parse(body)
        method = None if tail in TAILS_WITHOUT_METHOD else _method(document, tail)
        values = document[ROWS_KEY_OF_HEAD[head]] if head else document
        if small:
            X = np.array(values, np.float64)
            X += 0.0
        else:
            X = np.frombuffer(values.as_buffer(of_type="d")).reshape(-1, features) + 0.0
        return (X, method) if X.shape == (rows, features) else None
    except (ValueError, TypeError, RuntimeError, LookupError):  # the parsers raise all of them
        return None


def _form(body: bytes, max_rows_bytes: int) -> bytes:
    """Return the form of a large body, or nothing if it is too long for the rows and what is around
    them. It is made in pieces, so that no other thread waits long for the interpreter."""
    form = bytearray()
    for start in range(0, len(body), LARGE_BODY_BYTES):
        form += body[start : start + LARGE_BODY_BYTES].translate(None, NUMBER_BYTES)
        if len(form) > max_rows_bytes + MAX_BYTES_AROUND_ROWS:
            return b""
    return bytes(form)


@functools.lru_cache(maxsize=16)
def _form_of_rows(count: int, features: int) -> bytes:
    row = b"[" + b"," * (features - 1) + b"]"
    return b"[" + b",".join([row] * count) + b"]"


def _method(document: Any, tail: bytes) -> str:
    """Return the method. Raises ValueError if it is not a text, or there are other keys."""
    method = document["method"]
    if tail.count(b'"') != 4 or len(document) != 2 or not isinstance(method, str):
        raise ValueError
    return method


class _Parser(threading.local):
    """One parser for each thread, since a parser reuses its memory."""

    def __init__(self) -> None:
        self.parse = simdjson.Parser().parse


_parser = _Parser()


def _parse(body: bytes) -> Any:
    """Parse with the thread's parser, or with a new one if the body is large: a parser keeps memory
    for several times the largest body that it has parsed."""
    return (_parser if len(body) <= LARGE_BODY_BYTES else simdjson.Parser()).parse(body)
