"""A body that holds nothing but rows of numbers, from its bytes into one array.

It knows no mistakes: a body that is anything else gives None, and payload.py tells what it is or what is wrong with it.
A test holds the two to the same values, to the last bit.
"""

from __future__ import annotations

import itertools
import re
import threading
from typing import Any, NamedTuple

import numpy as np
import orjson
import simdjson

from payload import Limits

FEW = 256
"""Bytes, a row or two: those are cheaper by way of Python's own numbers, which the request's other JSON needs too."""

ROWS = re.compile(rb'\s*(?:\[|\{\s*"(?:data|input_data)"\s*:\s*\[)\s*\[')
"""How it begins, which spares other bodies a second parser."""

DEPTH = 3


class Numbers(NamedTuple):
    """``X``: (rows, features), float64, C order, writable, -0.0 being 0.0. ``method`` as sent, if it was."""

    X: np.ndarray
    method: str | None


def numbers(body: bytes, features: int, limits: Limits) -> Numbers | None:
    """None unless ``body`` is rows of ``features`` numbers each, within the limits."""
    if len(body) > limits.max_bytes or limits.max_depth < DEPTH:
        return None
    try:
        return (_few if len(body) <= FEW else _many)(body, features, limits)
    except (ValueError, TypeError, RuntimeError):  # the parsers raise all three
        return None


def _few(body: bytes, features: int, limits: Limits) -> Numbers | None:
    rows, method = _form(orjson.loads(body), dict)
    if not _fit(limits, list(map(len, rows)), features):
        return None
    if not set(map(type, itertools.chain.from_iterable(rows))) <= {int, float}:
        return None
    X = np.array(rows, dtype=np.float64)
    X += 0.0
    return Numbers(X, method)


class _Parser(threading.local):
    """It reuses its memory, so each thread needs one of its own."""

    def __init__(self) -> None:
        self.parse = simdjson.Parser().parse


_parser = _Parser()


def _many(body: bytes, features: int, limits: Limits) -> Numbers | None:
    """Without a Python object for each value."""
    if not ROWS.match(body):
        return None
    rows, method = _form(_parser.parse(body), simdjson.Object)
    sizes = list(map(len, rows))
    if body.count(b"[") != 1 + len(sizes) or not _fit(limits, sizes, features):  # or a value is a list itself
        return None
    return Numbers(np.frombuffer(rows.as_buffer(of_type="d")).reshape(-1, features) + 0.0, method)


def _form(document: Any, mapping: Any) -> tuple[Any, str | None]:
    """Rows, not yet known to be some, and the method. Raises ValueError at anything else."""
    if not isinstance(document, mapping):
        return document, None
    first, *others = document
    if first not in ("data", "input_data"):
        raise ValueError
    if not others:
        return document[first], None
    if others == ["method"] and isinstance(method := document["method"], str):
        return document[first], method
    raise ValueError


def _fit(limits: Limits, sizes: list[int], features: int) -> bool:
    """All rows have as many values, and there are not too many."""
    rows, elements = len(sizes), len(sizes) * features
    return (
        sizes.count(features) == rows
        and 0 < elements <= limits.max_elements
        and rows <= limits.max_rows
        and features <= limits.max_features
    )
