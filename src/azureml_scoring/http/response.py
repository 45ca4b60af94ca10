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

    @classmethod
    def of(cls, answer: Answer, headers: Iterable[tuple[str, str]] = ()) -> Response:
        """Return the answer with its type, its length and further headers."""
        return cls(
            int(answer.status),
            [
                ("Content-Type", answer.content_type),
                ("Content-Length", str(len(answer.body))),
                *headers,
                *answer.headers.items(),
            ],
            answer.body,
        )

    def encode(self, header_lines: str = "") -> bytes:
        """Return the bytes that HTTP/1.1 sends. ``header_lines``: more headers, each with CRLF."""
        lines = "".join([f"{name}: {value}\r\n" for name, value in self.headers])
        head = f"HTTP/1.1 {STATUS_LINES[self.status]}\r\n{header_lines}{lines}\r\n"
        return head.encode("latin-1") + self.body


def header_lines(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return uvicorn's headers as ``encode`` takes them."""
    return "".join(f"{name.decode()}: {value.decode()}\r\n" for name, value in headers)


def refusal(error: ScoringError) -> Response:
    """Return the response to a request that reaches neither the service nor Flask."""
    body = {"error": error.message, "code": error.code, "status": int(error.status)}
    return Response.of(Answer(int(error.status), orjson.dumps(body), error.headers))
