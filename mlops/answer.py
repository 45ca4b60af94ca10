"""Reads a server's answer within a limit on memory, whatever the server sends."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

MAX_ANSWER_BYTES = 32 * 2**20
"""Limit for an unpacked answer. Probabilities of 10,000 classes for 100 rows take two thirds."""

GZIP_WBITS = 16 + zlib.MAX_WBITS


class UnusableAnswer(Exception):
    """The answer can't be read. The message says what the server sent: "more than ..."."""


@dataclass(frozen=True)
class HttpAnswer:
    """A server's answer. ``document`` is its JSON, or None if the body is not JSON."""

    status: int
    headers: Mapping[str, str]
    document: Any


async def read(response: httpx.Response) -> HttpAnswer:
    """Read an answer.

    Raises UnusableAnswer if a 200 can't be read, and httpx.RequestError if the connection ends too
    early.
    """
    try:
        document = _json(await _content(response))
    except UnusableAnswer:
        if response.status_code == 200:
            raise
        document = None  # the status says enough
    return HttpAnswer(response.status_code, response.headers, document)


async def _content(response: httpx.Response) -> bytes:
    """Return the unpacked body, within the limit.

    httpx's own decoders unpack all of a piece before its size can be checked.
    """
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise UnusableAnswer("in another encoding than gzip")
    gzip = zlib.decompressobj(GZIP_WBITS) if encoding == "gzip" else None
    content = bytearray()
    async for piece in response.aiter_raw():
        try:
            room = MAX_ANSWER_BYTES + 1 - len(content)
            content += gzip.decompress(piece, room) if gzip else piece
        except zlib.error:
            raise UnusableAnswer("invalid gzip") from None
        if len(content) > MAX_ANSWER_BYTES:
            raise UnusableAnswer(f"more than {MAX_ANSWER_BYTES >> 20} MiB")
    if gzip and not gzip.eof:
        raise UnusableAnswer("incomplete gzip")
    return bytes(content)


def _json(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except ValueError:
        return None
