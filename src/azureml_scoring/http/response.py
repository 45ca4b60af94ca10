"""A response as HTTP has it: its status, all its headers and its body."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import NamedTuple

import orjson

from azureml_scoring.errors import ScoringError
from azureml_scoring.request import Answer

STATUS_LINES = {int(status): f"{status.value} {status.phrase}" for status in HTTPStatus}


class Response(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


def response(answer: Answer, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """Return the answer as a response. ``headers``: further ones."""
    return Response(int(answer.status), all_headers(answer, headers), answer.body)


def all_headers(answer: Answer, headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the answer's type and length, these headers, and the answer's own."""
    length = str(len(answer.body))
    together = [("Content-Type", answer.content_type), ("Content-Length", length), *headers]
    if answer.headers:
        together += answer.headers.items()
    return together


def refusal(error: ScoringError) -> Response:
    """Return the response to a request that reaches neither the service nor Flask."""
    body = {"error": error.message, "code": error.code, "status": int(error.status)}
    return response(Answer(int(error.status), orjson.dumps(body), error.headers))


def encode(
    status: int, headers: Iterable[tuple[str, str]], body: bytes, server_lines: str
) -> bytes:
    """Return the bytes that HTTP/1.1 sends. ``server_lines``: see ``header_lines``."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    head = f"HTTP/1.1 {STATUS_LINES[status]}\r\n{server_lines}{lines}\r\n"
    return head.encode("latin-1") + body


def header_lines(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return uvicorn's own headers as HTTP/1.1 writes them."""
    return "".join(f"{name.decode()}: {value.decode()}\r\n" for name, value in headers)
