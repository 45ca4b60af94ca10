"""A WSGI request -> what the service needs: who asks, and a body that is read when asked for."""

from __future__ import annotations

import functools
import itertools
import os
import random
import re
import time
from collections.abc import Callable
from typing import Any

import orjson

from azureml_scoring.body_budget import Held
from azureml_scoring.errors import MalformedJson, ScoringError
from azureml_scoring.http.body_reader import BodyReader, Environ
from azureml_scoring.request import ANYTHING, Directive, Request

REQUEST_ID = re.compile(r"[A-Za-z0-9._:~/+=@-]{1,100}")
"""Others are not taken up: they would allow to forge what the queries extract from log lines."""

TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)


class RequestReader:
    """``reader(environ)`` -> Request. ``first`` and ``step`` keep the ids of a server's workers
    apart; ``first`` is asked again in a process that was forked."""

    def __init__(
        self,
        body: BodyReader,
        *,
        first: Callable[[], int] = lambda: 1,
        step: int = 1,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._read = body.read
        self.hold = body.hold
        self._now = now

        def count() -> None:
            self._counter = itertools.count(first(), step)

        count()
        os.register_at_fork(after_in_child=count)  # WORKER_PRELOAD

    def __call__(self, environ: Environ) -> Request:
        return self._request(environ, self.hold())

    def received(
        self,
        environ: Environ,
        body: bytes | ScoringError,
        due: float,
        *,
        at_once: bool = False,
        held: Held | None = None,
    ) -> Request:
        """The body has been read, or could not be; ``due``, ``at_once`` and ``held`` as of
        ``Request``."""
        return self._request(environ, held, body, due, at_once)

    def refused(self, environ: Environ, error: ScoringError) -> Request:
        """The server in front of us turned it down."""
        return self(environ).refused(error)

    def _request(
        self,
        environ: Environ,
        held: Held | None,
        body: bytes | ScoringError | None = None,
        due: float | None = None,
        at_once: bool = False,
    ) -> Request:
        read = functools.partial(self._read, environ, body, held)
        client_id = _known(REQUEST_ID, environ.get("HTTP_X_MS_CLIENT_REQUEST_ID"))
        request_id = (
            _known(REQUEST_ID, environ.get("HTTP_X_REQUEST_ID")) or client_id or self.new_id()
        )
        traceparent = _known(TRACEPARENT, environ.get("HTTP_TRACEPARENT"))
        trace = traceparent[3:35] if traceparent else _new_trace()
        cache_control = environ.get("HTTP_CACHE_CONTROL")
        wanted = _directive(cache_control) if cache_control else ANYTHING
        return Request(request_id, trace, read, client_id, wanted, due, at_once, traceparent, held)

    def plain(self, value: Any) -> Request:
        """Of a str, bytes or what JSON can hold, that came without HTTP."""
        return Request(self.new_id(), _new_trace(), lambda: _encode(value))

    def new_id(self) -> str:
        return f"{int(self._now() * 1000)}-{next(self._counter)}"


def _encode(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return (
            value.encode()
            if isinstance(value, str)
            else orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
        )
    except (TypeError, UnicodeEncodeError):
        raise MalformedJson(
            "The request holds what JSON can't; pass a str, bytes, or dict of lists.", ""
        ) from None


def _known(form: re.Pattern[str], value: str | None) -> str | None:
    return value if value is not None and form.fullmatch(value) else None


def _new_trace() -> str:
    """A W3C trace id."""
    return random.randbytes(16).hex()  # noqa: S311 nothing secret


def _directive(cache_control: str) -> Directive:
    """Of a request, RFC 9111: no-cache wants a new answer, which may be kept; no-store leaves no
    trace."""
    said = {part.partition("=")[0].strip().lower() for part in cache_control.split(",")}
    return Directive(look_up=not said & {"no-cache", "no-store"}, store="no-store" not in said)
