"""Reads a server's answer with a limit on what it may take, whatever the server sends."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

ANSWER_BYTES = 32 * 2**20
"""Unpacked. Probabilities of 10,000 classes for 100 rows take two thirds of it."""

GZIP = 16 + zlib.MAX_WBITS


class Unusable(Exception):
    """The answer is not one that can be read. The message says what it is: "more than ..."."""


@dataclass(frozen=True)
class Answer:
    """``document``: its JSON; None where there is none."""

    status: int
    headers: Mapping[str, str]
    document: Any


async def read(response: httpx.Response) -> Answer:
    """Raises Unusable where predictions should be, and httpx.RequestError where the connection ends
    too early."""
    try:
        document = _json(await _content(response))
    except Unusable:
        if response.status_code == 200:
            raise
        document = None  # the status says enough
    return Answer(response.status_code, response.headers, document)


async def _content(response: httpx.Response) -> bytes:
    """Not by httpx's own decoders: they unpack all that a piece holds before anybody can look at
    its size."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise Unusable("in another encoding than gzip")
    gzip = zlib.decompressobj(GZIP) if encoding == "gzip" else None
    content = bytearray()
    async for piece in response.aiter_raw():
        try:
            content += gzip.decompress(piece, ANSWER_BYTES + 1 - len(content)) if gzip else piece
        except zlib.error:
            raise Unusable("bytes that are no gzip, though it says so") from None
        if len(content) > ANSWER_BYTES:
            raise Unusable(f"more than {ANSWER_BYTES >> 20} MiB")
    if gzip and not gzip.eof:
        raise Unusable("half of a gzip")
    return bytes(content)


def _json(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except ValueError:
        return None
