"""JSON as bytes: orjson's where it is installed, else the standard library's."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

_orjson: Any = None
with suppress(ModuleNotFoundError):
    _orjson = import_module("orjson")


def dumps(document: Any) -> bytes:
    """Raises ValueError for what JSON does not have."""
    try:
        if _orjson:
            content: bytes = _orjson.dumps(document)
            return content
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode()
    except TypeError as error:
        raise ValueError(f"The rows can't be written as JSON: {error}.") from None


def loads(content: bytes) -> Any:
    """Raises ValueError, and RecursionError."""
    return _orjson.loads(content) if _orjson else json.loads(content, parse_constant=_refuse)


GZIP_FROM_BYTES = 64 * 1024
"""Smaller bodies are not worth the time of packing them."""


def pack(body: bytes) -> bytes:
    """Pack fast: numbers as text shrink to a third at the lowest level already."""
    return gzip.compress(body, 1, mtime=0)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"JSON has no {constant}.")
