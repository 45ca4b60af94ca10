"""Reads a server's answer within a limit on memory, whatever the server sends."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from azureml_scoring.client import json_bytes
from azureml_scoring.client.model_status import model_status

MAX_ANSWER_BYTES = 32 * 2**20
"""Limit for an unpacked answer. Probabilities of 10,000 classes for 100 rows take two thirds."""

GZIP_WBITS = 16 + zlib.MAX_WBITS


class UnreadableAnswer(Exception):
    """The answer can't be read. The message says what the server sent: "more than ..."."""


@dataclass(frozen=True)
class HttpAnswer:
    """A server's answer. ``status`` is the model's own; ``document`` is the body's JSON, or
    None if it is not JSON."""

    status: int
    headers: Mapping[str, str]
    document: Any


async def read(response: httpx.Response) -> HttpAnswer:
    """Read an answer.

    Raises UnreadableAnswer if a 200 can't be read, and httpx.RequestError if the connection ends
    too early.
    """
    try:
        document = _json(await _content(response))
    except UnreadableAnswer:
        if response.status_code == 200:
            raise
        document = None  # the status says enough
    status = model_status(response.status_code, response.headers)
    return HttpAnswer(status, response.headers, document)


async def _content(response: httpx.Response) -> bytes:
    """Return the unpacked body, within the limit.

    httpx's own decoders unpack all of a piece before its size can be checked.
    """
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise UnreadableAnswer("in another encoding than gzip")
    gzip = zlib.decompressobj(GZIP_WBITS) if encoding == "gzip" else None
    content = bytearray()
    async for piece in response.aiter_raw():
        try:
            room = MAX_ANSWER_BYTES + 1 - len(content)
            content += gzip.decompress(piece, room) if gzip else piece
        except zlib.error:
            raise UnreadableAnswer("invalid gzip") from None
        if len(content) > MAX_ANSWER_BYTES:
            raise UnreadableAnswer(f"more than {MAX_ANSWER_BYTES >> 20} MiB")
    if gzip and not gzip.eof:
        raise UnreadableAnswer("incomplete gzip")
    return bytes(content)


def _json(content: bytes) -> Any:
    try:
        return json_bytes.loads(content)
    except (ValueError, RecursionError):
        return None
