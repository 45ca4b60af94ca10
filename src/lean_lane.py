"""``/score`` and the probes ahead of Flask: WSGI in and out, with the status, body and headers of the server's way.

Whatever is unusual (another method, long ids, the server's tracing headers) goes on to Flask. So does everything where
the server's Application Insights, CORS or SIGALRM timeout is on, which live there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

import orjson

from health import Probe
from http_request import Environ, RequestReader
from service import Answer, Service

StartResponse = Callable[[str, list[tuple[str, str]]], object]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]

SCORE = "/score"
LONGEST_ID = 100
"""Longer ones the server turns down with 431."""

FLASKS = ("HTTP_TRACEID", "HTTP_X_MS_REQUEST_ID")
"""Headers that only the server knows what to do with."""


class LeanLane:
    """A WSGI application in front of another, ``inner``."""

    def __init__(
        self,
        inner: Wsgi,
        service: Service,
        reader: RequestReader,
        probes: Mapping[str, Callable[[], Probe]],
        *,
        server_version: str = "",
    ) -> None:
        self._inner = inner
        self._service = service
        self._reader = reader
        self._probes = probes
        self._constant = [("x-ms-server-version", server_version)] if server_version else []

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if method == "POST" and path == SCORE and not _unusual(environ):
            return self._score(environ, start_response)
        if method == "GET" and path in self._probes:
            return _respond(probe_answer(self._probes[path]()), self._constant, start_response)
        return self._inner(environ, start_response)

    def _score(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        started = time.perf_counter()
        request = self._reader(environ)
        answer = self._service.score(request)
        headers = [
            *self._constant,
            ("x-ms-run-function-failed", str(answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR)),
            ("x-ms-run-fn-exec-ms", f"{(time.perf_counter() - started) * 1000:.3f}"),
            ("x-request-id", request.request_id),
            ("x-ms-request-id", request.client_request_id or request.request_id),
        ]
        if request.client_request_id:
            headers.append(("x-ms-client-request-id", request.client_request_id))
        return _respond(answer, headers, start_response)


def probe_answer(probe: Probe) -> Answer:
    body, status = probe
    return Answer(status, orjson.dumps(body), {} if status == HTTPStatus.OK else {"Retry-After": "5"})


def steps_aside_for(server: Any, environ: Mapping[str, str] = os.environ) -> str | None:
    """What of the server's is on that lives in Flask; ``server`` is its configuration. Raises AttributeError."""
    if server.app_insights_enabled:
        return "Application Insights"
    if server.cors_origins:
        return "CORS"
    if environ.get("SCORING_TIMEOUT_MS"):
        return "SCORING_TIMEOUT_MS"
    return None


def _unusual(environ: Environ) -> bool:
    ids = environ.get("HTTP_X_REQUEST_ID", ""), environ.get("HTTP_X_MS_CLIENT_REQUEST_ID", "")
    return any(name in environ for name in FLASKS) or any(len(value) > LONGEST_ID for value in ids)


def _respond(answer: Answer, headers: list[tuple[str, str]], start_response: StartResponse) -> Iterable[bytes]:
    plain = [("Content-Type", "application/json"), ("Content-Length", str(len(answer.body)))]
    status = HTTPStatus(answer.status)
    start_response(f"{status.value} {status.phrase}", plain + headers + list(answer.headers.items()))
    return [answer.body]
