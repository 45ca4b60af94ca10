"""The body of a WSGI request: read within limits, and known to be JSON by what its headers say."""

from __future__ import annotations

import contextlib
import io
import re
import socket
import time
import zlib
from collections.abc import Generator, Mapping
from typing import Any

from azureml_scoring.body_budget import LARGE, BodyBudget, Held
from azureml_scoring.errors import (
    BodyTimeout,
    IncompleteBody,
    MalformedEncoding,
    MethodNotAllowed,
    ScoringError,
    UnsupportedContentEncoding,
    UnsupportedContentType,
)
from azureml_scoring.http.head import length
from azureml_scoring.inputs.payload import Limits

Environ = Mapping[str, Any]

CHUNK = 65_536
SKIPPED = 100_000_000
"""How much of a body that is too large is read and thrown away, so that the client gets to read the
answer."""

PARAMETER = re.compile(
    r""";[; \t]*(?:([^\s=;"]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^;]*))?[^;]*""", re.DOTALL
)
"""Of a media type, RFC 9110. One that is malformed is passed over, as far as the next semicolon."""

UTF_8 = ("utf-8", "utf8", "us-ascii")


class BodyReader:
    """``timeout``: in seconds, until all of a body is there. ``budget``: of all bodies together."""

    def __init__(self, limits: Limits, budget: BodyBudget, *, timeout: float = 10.0) -> None:
        self._limits = limits
        self._timeout = timeout
        self.hold = budget.hold

    def read(
        self, environ: Environ, body: bytes | ScoringError | None = None, held: Held | None = None
    ) -> bytes:
        """Decompressed. ``body``: None where it is still to be read, or what came of that.

        What it takes counts as ``held``, but for small ones. Raises ClientError or Overloaded.
        """
        if environ["REQUEST_METHOD"] != "POST":
            raise MethodNotAllowed("Scoring takes POST.")
        content_type, encoding = environ.get("CONTENT_TYPE"), environ.get("HTTP_CONTENT_ENCODING")
        if content_type != "application/json":
            _check_content_type(content_type)
        gzipped = encoding is not None and _gzipped(encoding)
        if body is None:
            body = self._received(environ, held)
        if isinstance(body, ScoringError):
            raise body
        return _gunzip(body, self._limits, held) if gzipped else body

    def _received(self, environ: Environ, held: Held | None) -> bytes:
        limit, announced = self._limits.max_bytes, length(environ.get("CONTENT_LENGTH"))
        kept, size, no_room = io.BytesIO(), 0, None
        try:
            with contextlib.closing(self._chunks(environ)) as stream:
                while (
                    announced <= limit and size <= limit and not no_room and (chunk := next(stream))
                ):
                    no_room = held.no_room(len(chunk)) if held else None
                    kept.write(chunk)
                    size += len(chunk)
                unwanted = no_room or max(announced, size) > limit
                while unwanted and size < SKIPPED and (chunk := next(stream)):
                    kept = io.BytesIO()
                    size += len(chunk)
        except TimeoutError:
            raise BodyTimeout(
                f"The request body did not arrive within {self._timeout:g} seconds.", ""
            ) from None
        except (
            Exception
        ) as error:  # each HTTP server has its own for a client that breaks off or chunks badly
            raise IncompleteBody("The request body could not be read to its end.", "") from error
        self._limits.check_bytes(max(announced, size))
        if no_room:
            raise no_room
        if size < announced:
            raise IncompleteBody("The request body ended before its Content-Length.", "")
        return kept.getvalue()

    def _chunks(self, environ: Environ) -> Generator[bytes, None, None]:
        """Parts of the body, and at its end empty ones. Raises TimeoutError, where the server lends
        us its socket."""
        stream, connection = environ["wsgi.input"], environ.get("gunicorn.socket")
        if connection is None:
            while True:
                yield stream.read(CHUNK)
        due = time.monotonic() + self._timeout
        try:
            while True:
                connection.settimeout(max(due - time.monotonic(), 0.001))
                yield stream.read(CHUNK)
        except TimeoutError:
            connection.shutdown(
                socket.SHUT_RD
            )  # gunicorn would wait for the rest, at the end in its main thread
            raise
        finally:
            connection.settimeout(None)


def _check_content_type(value: str | None) -> None:
    kind, charsets = _media_type(value or "")
    if not (
        kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
    ):
        raise UnsupportedContentType(
            "Set the header Content-Type: application/json (curl: -H 'Content-Type: "
            "application/json')."
        )
    if not charsets.issubset(UTF_8):
        raise UnsupportedContentType(
            "JSON is UTF-8: send the body in that encoding, and the header Content-Type: "
            "application/json."
        )


def _media_type(value: str) -> tuple[str, set[str]]:
    """``Application/JSON; charset="UTF-8"`` -> application/json, {utf-8}. Takes time linear in its
    length."""
    kind, semicolon, rest = value.partition(";")
    parameters = PARAMETER.findall(semicolon + rest)
    charsets = {text.strip(' \t"').lower() for name, text in parameters if _is_charset(name)}
    return kind.strip().lower(), charsets


def _is_charset(parameter: str) -> bool:
    """Also as RFC 2231 spells one, ``charset*`` or ``charset*0``: its value is none that we
    take."""
    return parameter.lower().partition("*")[0] == "charset"


def _gzipped(content_encoding: str) -> bool:
    encoding = content_encoding.strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise UnsupportedContentEncoding(
            "The body may be sent as it is or with Content-Encoding: gzip."
        )
    return encoding == "gzip"


def _gunzip(body: bytes, limits: Limits, held: Held | None) -> bytes:
    """Of one member, which is what clients send: thousands of empty ones would cost more than any
    limit tells."""
    member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        plain = member.decompress(body, min(LARGE, limits.max_bytes + 1))
        if limits.max_bytes >= LARGE and len(plain) == LARGE:
            if held:
                held.turn()
            plain += member.decompress(member.unconsumed_tail, limits.max_bytes + 1 - LARGE)
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
