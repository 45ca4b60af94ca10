"""Turns a WSGI request into the service's: ids, trace, cache directive, and a body to be read."""

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
from azureml_scoring.errors import MalformedJson, NotAcceptable, ScoringError
from azureml_scoring.http.accept import PLAIN, negotiated
from azureml_scoring.http.body_reader import BodyReader, Environ, media_type
from azureml_scoring.http.wanted import gone_of
from azureml_scoring.inputs.media_types import JSON
from azureml_scoring.request import ANYTHING, Directive, Request

REQUEST_ID = re.compile(r"[A-Za-z0-9._:~/+=@-]{1,100}")
"""Other ids are replaced: they could forge what the queries extract from log lines."""

TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)


class RequestReader:
    """Makes a ``Request`` of a WSGI environment.

    ``first`` and ``step`` keep the ids of a server's workers apart; ``first`` is called again in a
    forked process.
    """

    def __init__(
        self,
        body: BodyReader,
        *,
        first: Callable[[], int] = lambda: 1,
        step: int = 1,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.body = body
        self._now = now

        def count() -> None:
            self._counter = itertools.count(first(), step)

        count()
        os.register_at_fork(after_in_child=count)  # WORKER_PRELOAD

    def __call__(self, environ: Environ, due: float) -> Request:
        """Return a request whose body is read from ``wsgi.input`` when it is needed. ``due``: its
        deadline, by the monotonic clock."""
        return self._request(environ, None, self.body.hold(due))

    def received(
        self, environ: Environ, body: bytes | ScoringError, held: Held | None = None
    ) -> Request:
        """Return a request whose body has been read, or could not be. ``held``: see ``Request``."""
        return self._request(environ, body, held)

    def _request(
        self, environ: Environ, body: bytes | ScoringError | None, held: Held | None
    ) -> Request:
        accept, answer_type = environ.get("HTTP_ACCEPT"), JSON
        if accept not in PLAIN:
            try:
                answer_type = negotiated(accept)
            except NotAcceptable as error:
                body = error
        read = functools.partial(self.body.read, environ, body, held)
        client_id = _valid(REQUEST_ID, environ.get("HTTP_X_MS_CLIENT_REQUEST_ID"))
        request_id = (
            _valid(REQUEST_ID, environ.get("HTTP_X_REQUEST_ID")) or client_id or self.new_id()
        )
        traceparent = _valid(TRACEPARENT, environ.get("HTTP_TRACEPARENT"))
        trace = traceparent[3:35] if traceparent else _new_trace()
        cache_control = environ.get("HTTP_CACHE_CONTROL")
        directive = _directive(cache_control) if cache_control else ANYTHING
        return Request(
            request_id,
            trace,
            read,
            client_id,
            directive,
            traceparent,
            held,
            gone_of(environ),
            media_type(environ.get("CONTENT_TYPE")),
            answer_type,
        )

    def plain(self, value: Any) -> Request:
        """Return a request for a str, bytes or a JSON value that came without HTTP."""
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


def _valid(form: re.Pattern[str], value: str | None) -> str | None:
    return value if value is not None and form.fullmatch(value) else None


def _new_trace() -> str:
    """Return a W3C trace id."""
    return random.randbytes(16).hex()  # noqa: S311 not a secret


def _directive(cache_control: str) -> Directive:
    """Read a request's Cache-Control, RFC 9111: no-cache wants a new answer, which may be kept;
    no-store leaves no trace."""
    names = {part.partition("=")[0].strip().lower() for part in cache_control.split(",")}
    return Directive(look_up=not names & {"no-cache", "no-store"}, store="no-store" not in names)
