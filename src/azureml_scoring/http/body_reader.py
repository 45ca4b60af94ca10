"""Reads the body of a WSGI request within limits, and checks what its headers say that it is."""

from __future__ import annotations

import contextlib
import re
import socket
import time
import zlib
from collections.abc import Generator, Mapping
from typing import Any

from azureml_scoring.body_budget import LARGE_BODY_BYTES, BodyBudget, Held
from azureml_scoring.errors import (
    BodyTimeout,
    IncompleteBody,
    MalformedEncoding,
    MethodNotAllowed,
    ScoringError,
    UnsupportedContentEncoding,
    UnsupportedContentType,
)
from azureml_scoring.http.body_buffer import BodyBuffer
from azureml_scoring.http.head import content_length
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.media_types import BODIES, JSON

Environ = Mapping[str, Any]

PART_BYTES = 65_536

BROKEN_OFF = "The request body could not be read to its end."

PARAMETER = re.compile(
    r""";[; \t]*(?:([^\s=;"]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^;]*))?[^;]*""", re.DOTALL
)
"""A parameter of a media type, RFC 9110. A malformed one is skipped up to the next semicolon."""

UTF_8_NAMES = ("utf-8", "utf8", "us-ascii")


class BodyReader:
    """Reads and checks bodies. ``timeout_s``: how long a body may take to arrive. ``budget``:
    bounds all bodies together."""

    def __init__(self, limits: Limits, budget: BodyBudget, *, timeout_s: float = 10.0) -> None:
        self._limits = limits
        self.timeout_s = timeout_s
        self.hold = budget.hold

    def read(
        self, environ: Environ, body: bytes | ScoringError | None = None, held: Held | None = None
    ) -> bytes:
        """Return the decompressed body.

        ``body``: None to read it from ``wsgi.input``; else as received, or why it was not. A large
        one counts as ``held``. Raises ClientError or Overloaded.
        """
        if environ["REQUEST_METHOD"] != "POST":
            raise MethodNotAllowed("Scoring takes POST.")
        content_type, encoding = environ.get("CONTENT_TYPE"), environ.get("HTTP_CONTENT_ENCODING")
        if content_type != JSON:
            _check_content_type(content_type)
        gzipped = encoding is not None and _gzipped(encoding)
        if body is None:
            body = self._received(environ, held)
        if isinstance(body, ScoringError):
            raise body
        return _gunzip(body, self._limits, held) if gzipped else body

    def buffer(self, environ: Environ, held: Held | None) -> BodyBuffer:
        return BodyBuffer(self._limits, content_length(environ.get("CONTENT_LENGTH")), held)

    def _received(self, environ: Environ, held: Held | None) -> bytes:
        body = self.buffer(environ, held)
        try:
            with contextlib.closing(self._parts(environ)) as parts:
                while body.wants_more and (part := next(parts)):
                    body.add(part)
        except TimeoutError:
            raise too_slow(self.timeout_s) from None
        except Exception as error:  # each HTTP server has its own when a client breaks off
            raise IncompleteBody(BROKEN_OFF, "") from error
        return body.finish()

    def _parts(self, environ: Environ) -> Generator[bytes, None, None]:
        """Yield the parts of the body, then empty ones. Under gunicorn, which lends us its socket,
        raises TimeoutError."""
        stream, connection = environ["wsgi.input"], environ.get("gunicorn.socket")
        if connection is None:
            while True:
                yield stream.read(PART_BYTES)
        due = time.monotonic() + self.timeout_s
        try:
            while True:
                connection.settimeout(max(due - time.monotonic(), 0.001))
                yield stream.read(PART_BYTES)
        except TimeoutError:
            # gunicorn would wait for the rest, at the end in its main thread
            connection.shutdown(socket.SHUT_RD)
            raise
        finally:
            connection.settimeout(None)


def too_slow(timeout_s: float) -> BodyTimeout:
    return BodyTimeout(f"The request body did not arrive within {timeout_s:g} seconds.", "")


def media_type(content_type: str | None) -> str:
    """Return one of ``BODIES``, JSON for every other: that is refused when the body is read."""
    kind = JSON if content_type == JSON else _media_type(content_type or "")[0]
    return kind if kind in BODIES else JSON


def _check_content_type(value: str | None) -> None:
    kind, charsets = _media_type(value or "")
    if not (kind in BODIES or (kind.startswith("application/") and kind.endswith("+json"))):
        raise UnsupportedContentType(
            "Set the header Content-Type: application/json (curl: -H 'Content-Type: "
            "application/json'), or one of text/csv, application/x-npy, "
            "application/vnd.apache.parquet and application/vnd.apache.arrow.stream."
        )
    if not charsets.issubset(UTF_8_NAMES):
        raise UnsupportedContentType(
            "Send the body in UTF-8, and the header Content-Type: application/json, or text/csv "
            "for a CSV."
        )


def _media_type(value: str) -> tuple[str, set[str]]:
    """Return ("application/json", {"utf-8"}) for ``Application/JSON; charset="UTF-8"``, in time
    linear in its length."""
    kind, semicolon, rest = value.partition(";")
    parameters = PARAMETER.findall(semicolon + rest)
    charsets = {text.strip(' \t"').lower() for name, text in parameters if _is_charset(name)}
    return kind.strip().lower(), charsets


def _is_charset(parameter: str) -> bool:
    """Return True also for RFC 2231's ``charset*`` and ``charset*0``, whose values are refused."""
    return parameter.lower().partition("*")[0] == "charset"


def _gzipped(content_encoding: str) -> bool:
    encoding = content_encoding.strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise UnsupportedContentEncoding(
            "The body may be sent as it is or with Content-Encoding: gzip."
        )
    return encoding == "gzip"


def _gunzip(body: bytes, limits: Limits, held: Held | None) -> bytes:
    """Unpack one member, which is what clients send: thousands of empty ones would cost more than
    any limit bounds."""
    member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        plain = member.decompress(body, min(LARGE_BODY_BYTES, limits.max_bytes + 1))
        if limits.max_bytes >= LARGE_BODY_BYTES and len(plain) == LARGE_BODY_BYTES:
            if held:
                held.turn()
            plain += member.decompress(
                member.unconsumed_tail, limits.max_bytes + 1 - LARGE_BODY_BYTES
            )
            if held:
                held.take(len(plain))
    except zlib.error:
        raise MalformedEncoding(
            "The body is not valid gzip, as Content-Encoding says it is.", ""
        ) from None
    limits.check_bytes(len(plain))
    if not member.eof or member.unused_data:
        raise MalformedEncoding("The gzip body ends too early, or goes on after its end.", "")
    return plain
