"""A WSGI request -> what the service needs: who asks, and a body read within limits."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import random
import re
import socket
import time
import zlib
from collections.abc import Callable, Generator, Mapping
from email.message import Message
from typing import Any

import orjson

from cache import ANYTHING, Directive
from errors import (
    BodyTimeout,
    ClientError,
    IncompleteBody,
    MalformedEncoding,
    MalformedJson,
    MethodNotAllowed,
    ScoringError,
    UnsupportedContentEncoding,
    UnsupportedContentType,
)
from exchange import Request
from payload import Limits

Environ = Mapping[str, Any]

REQUEST_ID = re.compile(r"[A-Za-z0-9._:~/+=@-]{1,100}")
"""Others are not taken up: they would allow to forge what the queries extract from log lines."""

TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
CHUNK = 65_536
SKIPPED = 100_000_000
"""How much of a body that is too large is read and thrown away, so that the client gets to read the answer."""


class RequestReader:
    """``reader(environ)`` -> Request. ``first`` and ``step`` keep the ids of a server's workers apart; ``first`` is
    asked again in a process that was forked."""

    def __init__(
        self,
        limits: Limits,
        *,
        first: Callable[[], int] = lambda: 1,
        step: int = 1,
        body_timeout: float = 10.0,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._body_timeout = body_timeout
        self._clock = clock
        self._now = now

        def count() -> None:
            self._counter = itertools.count(first(), step)

        count()
        os.register_at_fork(after_in_child=count)  # WORKER_PRELOAD

    def __call__(self, environ: Environ) -> Request:
        """The body is read when it is asked for."""
        return self._request(environ, functools.partial(self._body, environ))

    def received(self, environ: Environ, body: bytes | ClientError, due: float, *, at_once: bool = False) -> Request:
        """The body has been read, or could not be; ``due`` and ``at_once`` as of ``Request``."""
        return self._request(environ, functools.partial(self._body, environ, body), due, at_once)

    def refused(self, environ: Environ, error: ScoringError) -> Request:
        """The server in front of us turned it down."""
        return self(environ).refused(error)

    def _request(
        self, environ: Environ, read: Callable[[], bytes], due: float | None = None, at_once: bool = False
    ) -> Request:
        client_id = _known(REQUEST_ID, environ.get("HTTP_X_MS_CLIENT_REQUEST_ID"))
        request_id = _known(REQUEST_ID, environ.get("HTTP_X_REQUEST_ID")) or client_id or self.new_id()
        traceparent = _known(TRACEPARENT, environ.get("HTTP_TRACEPARENT"))
        trace = traceparent[3:35] if traceparent else _new_trace()
        cache_control = environ.get("HTTP_CACHE_CONTROL")
        wanted = _directive(cache_control) if cache_control else ANYTHING
        return Request(request_id, trace, read, client_id, wanted, due, at_once, traceparent)

    def plain(self, value: Any) -> Request:
        """Of a str, bytes or what JSON can hold, that came without HTTP."""
        return Request(self.new_id(), _new_trace(), lambda: _encode(value))

    def new_id(self) -> str:
        return f"{int(self._now() * 1000)}-{next(self._counter)}"

    def _body(self, environ: Environ, body: bytes | ClientError | None = None) -> bytes:
        """``body``: None where it is still to be read."""
        if environ["REQUEST_METHOD"] != "POST":
            raise MethodNotAllowed("Scoring takes POST.")
        content_type, encoding = environ.get("CONTENT_TYPE"), environ.get("HTTP_CONTENT_ENCODING")
        if content_type != "application/json":
            _check_content_type(content_type)
        gzipped = encoding is not None and _gzipped(encoding)
        if body is None:
            body = self._read(environ)
        if isinstance(body, ClientError):
            raise body
        return _gunzip(body, self._limits) if gzipped else body

    def _read(self, environ: Environ) -> bytes:
        limit, announced = self._limits.max_bytes, int(environ.get("CONTENT_LENGTH") or 0)
        chunks, size = [], 0
        try:
            with contextlib.closing(self._chunks(environ)) as stream:
                while announced <= limit and size <= limit and (chunk := next(stream)):
                    chunks.append(chunk)
                    size += len(chunk)
                too_large = max(announced, size) > limit
                while too_large and size < SKIPPED and (chunk := next(stream)):
                    size += len(chunk)
        except TimeoutError:
            raise BodyTimeout(f"The request body did not arrive within {self._body_timeout:g} seconds.", "") from None
        except Exception as error:  # each HTTP server has its own for a client that breaks off or chunks badly
            raise IncompleteBody("The request body could not be read to its end.", "") from error
        self._limits.check_bytes(max(announced, size))
        if size < announced:
            raise IncompleteBody("The request body ended before its Content-Length.", "")
        return b"".join(chunks)

    def _chunks(self, environ: Environ) -> Generator[bytes, None, None]:
        """Parts of the body, and at its end empty ones. Raises TimeoutError, where the server lends us its socket."""
        stream, connection = environ["wsgi.input"], environ.get("gunicorn.socket")
        if connection is None:
            while True:
                yield stream.read(CHUNK)
        due = self._clock() + self._body_timeout
        try:
            while True:
                connection.settimeout(max(due - self._clock(), 0.001))
                yield stream.read(CHUNK)
        except TimeoutError:
            connection.shutdown(socket.SHUT_RD)  # gunicorn would wait for the rest, at the end in its main thread
            raise
        finally:
            connection.settimeout(None)


def _encode(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return value.encode() if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    except (TypeError, UnicodeEncodeError):
        raise MalformedJson("The request holds what JSON can't; pass a str, bytes, or dict of lists.", "") from None


def _known(form: re.Pattern[str], value: str | None) -> str | None:
    return value if value is not None and form.fullmatch(value) else None


def _new_trace() -> str:
    """A W3C trace id."""
    return random.randbytes(16).hex()  # noqa: S311 nothing secret


def _directive(cache_control: str) -> Directive:
    """Of a request, RFC 9111: no-cache wants a new answer, which may be kept; no-store leaves no trace."""
    said = {part.partition("=")[0].strip().lower() for part in cache_control.split(",")}
    return Directive(look_up=not said & {"no-cache", "no-store"}, store="no-store" not in said)


def _check_content_type(value: str | None) -> None:
    header = Message()
    header["Content-Type"] = value or "none/none"
    kind, charset = header.get_content_type(), header.get_content_charset("utf-8")
    if not (kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))):
        raise UnsupportedContentType(
            "Set the header Content-Type: application/json (curl: -H 'Content-Type: application/json')."
        )
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedContentType(
            "JSON is UTF-8: send the header Content-Type: application/json without another charset."
        )


def _gzipped(content_encoding: str) -> bool:
    encoding = content_encoding.strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise UnsupportedContentEncoding("The body may be sent as it is or with Content-Encoding: gzip.")
    return encoding == "gzip"


def _gunzip(body: bytes, limits: Limits) -> bytes:
    """Of one member, which is what clients send: thousands of empty ones would cost more than any limit tells."""
    member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        plain = member.decompress(body, limits.max_bytes + 1)
    except zlib.error:
        raise MalformedEncoding("The body is not valid gzip, as Content-Encoding says it is.", "") from None
    limits.check_bytes(len(plain))
    if not member.eof or member.unused_data:
        raise MalformedEncoding("The gzip body ends too early, or goes on after its end.", "")
    return plain
