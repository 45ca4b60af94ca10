"""A body that holds nothing but rows of numbers, from its bytes into one array, without a Python object for each value.

It knows no mistakes: a body that is anything else gives None, and payload.py tells what it is or what is wrong with it.
A test holds the two to the same values, to the last bit.
"""

from __future__ import annotations

import re
import threading
from typing import Any, NamedTuple

import numpy as np
import simdjson

from payload import Limits

ROWS = re.compile(rb'\s*(?:\[|\{\s*"(?:data|input_data)"\s*:\s*\[)\s*\[')
"""How it begins, which spares other bodies a second parser."""

DEPTH = 3


class Numbers(NamedTuple):
    """``X``: (rows, features), float64, C order, writable, -0.0 being 0.0. ``method`` as sent, if it was."""

    X: np.ndarray
    method: str | None


class _Parser(threading.local):
    """It reuses its memory, so each thread needs one of its own."""

    def __init__(self) -> None:
        self.parse = simdjson.Parser().parse


_parser = _Parser()


def numbers(body: bytes, features: int, limits: Limits) -> Numbers | None:
    """None unless ``body`` is rows of ``features`` numbers each, within the limits."""
    if len(body) > limits.max_bytes or limits.max_depth < DEPTH or not ROWS.match(body):
        return None
    try:
        rows, method = _rows(_parser.parse(body))
        sizes = list(map(len, rows))
        same = sizes.count(features) == len(sizes) and body.count(b"[") == 1 + len(sizes)  # no value is a list itself
        if not same or not _within(limits, len(sizes), features):
            return None
        X = np.frombuffer(rows.as_buffer(of_type="d")).reshape(-1, features) + 0.0
    except (ValueError, TypeError, RuntimeError):  # the parser raises all three
        return None
    return Numbers(X, method)


def _rows(document: Any) -> tuple[Any, str | None]:
    """Rows, not yet known to be some, and the method. Raises ValueError at any other key."""
    if not isinstance(document, simdjson.Object):
        return document, None
    first, *others = document
    if not others:
        return document[first], None
    if others == ["method"] and isinstance(method := document["method"], str):
        return document[first], method
    raise ValueError


def _within(limits: Limits, rows: int, features: int) -> bool:
    elements = rows * features
    return 0 < elements <= limits.max_elements and rows <= limits.max_rows and features <= limits.max_features
