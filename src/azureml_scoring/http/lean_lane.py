"""``/score`` and the probes ahead of Flask, with the status, body and headers of the server's way.

Whatever is unusual (another method, long ids, the server's tracing headers) goes on to Flask. So
does everything where the server's Application Insights, CORS or SIGALRM timeout is on, which live
there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson

from azureml_scoring.http.body_reader import Environ
from azureml_scoring.http.request_reader import RequestReader
from azureml_scoring.request import Answer, Request
from azureml_scoring.service import Service
from azureml_scoring.signals.health import Probe

StartResponse = Callable[[str, list[tuple[str, str]]], object]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]

SCORE = "/score"
LONGEST_ID = 100
"""Longer ones the server turns down with 431."""

STATUS_LINES = {int(status): f"{status.value} {status.phrase}" for status in HTTPStatus}


class Response(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class LeanLane:
    """A WSGI application in front of another, ``inner``; or asked in its parts, by our worker."""

    def __init__(
        self,
        inner: Wsgi,
        service: Service,
        reader: RequestReader,
        pages: Mapping[str, Callable[[], Answer]],
        *,
        server_version: str = "",
    ) -> None:
        self._inner = inner
        self.service = service
        self.reader = reader
        self._pages = pages
        self._constant = [("x-ms-server-version", server_version)] if server_version else []
        self._constant_line = f"x-ms-server-version: {server_version}\r\n" if server_version else ""

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        started = time.perf_counter()
        if self.scores(environ):
            response = self.score(self.reader(environ), started)
        elif (page := self.page(environ)) is not None:
            response = page
        else:
            return self._inner(environ, start_response)
        start_response(STATUS_LINES[response.status], response.headers)
        return [response.body]

    def scores(self, environ: Environ) -> bool:
        return (
            environ["REQUEST_METHOD"] == "POST"
            and is_score(environ["PATH_INFO"])
            and not unusual(environ)
        )

    def score(self, request: Request, started: float) -> Response:
        """``started``: when it came, by ``time.perf_counter``."""
        answer = self.service.score(request)
        headers = [
            *self._constant,
            ("x-ms-run-function-failed", str(answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR)),
            ("x-ms-run-fn-exec-ms", f"{(time.perf_counter() - started) * 1000:.3f}"),
            ("x-request-id", request.request_id),
            ("x-ms-request-id", request.client_request_id or request.request_id),
        ]
        if request.client_request_id:
            headers.append(("x-ms-client-request-id", request.client_request_id))
        return _response(answer, headers)

    def written(self, request: Request, started: float, lines: str, answer: Answer) -> bytes:
        """The same response as ``score`` gives, as HTTP/1.1 writes it. ``lines``: the server's own
        headers."""
        body, request_id, client_id = answer.body, request.request_id, request.client_request_id
        head = (
            f"HTTP/1.1 {STATUS_LINES[answer.status]}\r\n"
            f"Content-Type: {answer.content_type}\r\n"
            f"Content-Length: {len(body)}\r\n"
            f"{self._constant_line}"
            f"x-ms-run-function-failed: {answer.status >= 500}\r\n"
            f"x-ms-run-fn-exec-ms: {(time.perf_counter() - started) * 1000:.3f}\r\n"
            f"x-request-id: {request_id}\r\n"
            f"x-ms-request-id: {client_id or request_id}\r\n"
            f"{lines}"
        )
        if client_id:
            head += f"x-ms-client-request-id: {client_id}\r\n"
        for name, value in answer.headers.items():
            head += f"{name}: {value}\r\n"
        return f"{head}\r\n".encode("latin-1") + body

    def page(self, environ: Environ) -> Response | None:
        """A probe, or the metrics."""
        if environ["REQUEST_METHOD"] == "GET" and (page := self._pages.get(environ["PATH_INFO"])):
            return _response(page(), self._constant)
        return None


def is_score(path: str) -> bool:
    """``//score`` and ``/score/`` too: what joins a base URL and a path puts slashes there."""
    return path.strip("/") == SCORE.strip("/")


def probe_answer(probe: Callable[[], Probe]) -> Answer:
    body, status = probe()
    return Answer(
        status, orjson.dumps(body), {} if status == HTTPStatus.OK else {"Retry-After": "5"}
    )


def steps_aside_for(server: Any, environ: Mapping[str, str] = os.environ) -> str | None:
    """What of the server's is on that lives in Flask; ``server`` is its configuration. Raises
    AttributeError."""
    if server.app_insights_enabled:
        return "Application Insights"
    if server.cors_origins:
        return "CORS"
    if environ.get("SCORING_TIMEOUT_MS"):
        return "SCORING_TIMEOUT_MS"
    return None


def unusual(environ: Environ) -> bool:
    """It has headers that only the server knows what to do with."""
    return (
        "HTTP_TRACEID" in environ
        or "HTTP_X_MS_REQUEST_ID" in environ
        or len(environ.get("HTTP_X_REQUEST_ID", "")) > LONGEST_ID
        or len(environ.get("HTTP_X_MS_CLIENT_REQUEST_ID", "")) > LONGEST_ID
    )


def _response(answer: Answer, headers: list[tuple[str, str]]) -> Response:
    plain = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body)))]
    return Response(int(answer.status), [*plain, *headers, *answer.headers.items()], answer.body)
