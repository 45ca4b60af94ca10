"""The ASGI application of our worker: reads a request's body without a thread, then answers it
where that is best.

Probes and models that answer in microseconds are answered on the event loop; everything else on a
thread of a pool, so that no probe waits for a score. What ``ScoringEndpoint`` does not take goes to
the server's Flask.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from azureml_scoring.body_budget import Held
from azureml_scoring.errors import (
    RETRY,
    IncompleteBody,
    Overloaded,
    OverloadReason,
    ScoringError,
)
from azureml_scoring.http import wsgi_bridge
from azureml_scoring.http.body_reader import BROKEN_OFF, Environ, too_slow
from azureml_scoring.http.connection import CUT_OFF, REFUSED
from azureml_scoring.http.endpoint import ScoringEndpoint, is_score_path
from azureml_scoring.http.head import content_length
from azureml_scoring.http.open_inference import is_protocol_path
from azureml_scoring.http.response import Response, refusal
from azureml_scoring.http.turn import Turn
from azureml_scoring.http.wanted import BEGAN, DUE, wanted_for_s
from azureml_scoring.http.wsgi_bridge import Wsgi
from azureml_scoring.request import MustWait

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

THREADS = 64
"""Threads of a worker: more than the requests that it admits, so that Flask's requests find one."""

MAX_INLINE_BODY_BYTES = 65_536
"""A larger body takes longer to parse than a probe may wait."""

MUST_WAIT = "scoring.must_wait"
"""Key in the ``state`` of a request's scope: the express lane tried this request; score it on a
thread."""


class Front:
    """The ASGI application. ``flask``: the server's, for all that ``endpoint`` does not take."""

    def __init__(self, flask: Wsgi, endpoint: ScoringEndpoint) -> None:
        self.endpoint = endpoint
        self.turn = Turn(endpoint.at_once, endpoint.backlog)
        self._flask = flask
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="request")
        self._reading_for_flask = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        environ = wsgi_bridge.environ_of(scope)
        scores, error = self.endpoint.scores(environ), scope["state"].get(REFUSED)
        if error:
            response = self.endpoint.refuse(environ, error, started) if scores else refusal(error)
        elif scores:
            response = await self._score(scope, environ, receive, started)
        elif page := self.endpoint.page(environ):
            response = page
        else:
            response = await self._by_flask(scope, environ, receive, started)
        await _respond(response, send)

    async def _score(
        self, scope: Scope, environ: Environ, receive: Receive, started: float
    ) -> Response:
        """Admit a request before its body is read, unless the express lane has. A small one that is
        answered inline takes no place."""
        endpoint, body = self.endpoint, None
        plain = "HTTP_CONTENT_ENCODING" not in environ and MUST_WAIT not in scope["state"]
        if endpoint.quick and plain and 0 < _announced(environ) <= MAX_INLINE_BODY_BYTES:
            body = await self._body(scope, environ, receive)
            if not self.turn.backlog.behind:
                with contextlib.suppress(MustWait):
                    return self._score_inline(environ, body, started)
        due = scope["state"].get(DUE)
        if due is None:
            due = endpoint.due(environ.get(BEGAN), wanted_for_s(environ))
            if error := endpoint.turn_away(due):
                return endpoint.refuse(environ, error, started)
        try:
            with endpoint.hold(due) as held:
                if body is None:
                    body = await self._body(scope, environ, receive, held)
                with endpoint.admit(due):
                    return await self._in_pool(
                        lambda: endpoint.score(environ, body, due, started, held=held)
                    )
        except Overloaded as error:
            return endpoint.refuse(environ, error, started)

    def _score_inline(
        self, environ: Environ, body: bytes | ScoringError, started: float
    ) -> Response:
        """Answer on the event loop. Raises MustWait."""
        with self.turn.inline(asyncio.get_running_loop()), self.endpoint.at_once(1) as due:
            return self.endpoint.score(environ, body, due, started, may_wait=False)

    async def _by_flask(
        self, scope: Scope, environ: Environ, receive: Receive, started: float
    ) -> Response:
        """Let Flask answer. Only what is scored has a body; no more of them may arrive at once than
        there are threads."""
        body: bytes | ScoringError = b""
        if is_score_path(environ["PATH_INFO"]) or is_protocol_path(environ["PATH_INFO"]):
            if self._reading_for_flask >= THREADS:
                body = Overloaded(
                    f"Too many request bodies are arriving at once; {RETRY}.",
                    reason=OverloadReason.FULL,
                )
            else:
                self._reading_for_flask += 1
                try:
                    body = await self._body(scope, environ, receive)
                finally:
                    self._reading_for_flask -= 1
        if isinstance(body, Overloaded):
            return self.endpoint.refuse(environ, body, started)
        if isinstance(body, ScoringError):
            return refusal(body)
        return await self._in_pool(lambda: wsgi_bridge.call(self._flask, scope, environ, body))

    async def _in_pool(self, function: Callable[[], Response]) -> Response:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function)

    async def _body(
        self, scope: Scope, environ: Environ, receive: Receive, held: Held | None = None
    ) -> bytes | ScoringError:
        """Return the body, or the error that kept it from being read."""
        if not _announced(environ) and "HTTP_TRANSFER_ENCODING" not in environ:
            return b""
        body = self.endpoint.body_buffer(environ, held)
        try:
            async with asyncio.timeout(self.endpoint.body_timeout_s):
                more = True
                while more and body.wants_more:
                    message = await receive()
                    if message["type"] == "http.disconnect" or CUT_OFF in scope["state"]:
                        return IncompleteBody(BROKEN_OFF, "")
                    body.add(message["body"])
                    more = message["more_body"]
            return body.finish()
        except ScoringError as error:
            return error
        except TimeoutError:
            return too_slow(self.endpoint.body_timeout_s)


def _announced(environ: Environ) -> int:
    """Return Content-Length in bytes; 0 if there is none."""
    return content_length(environ.get("CONTENT_LENGTH"))


async def _respond(response: Response, send: Send) -> None:
    headers = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
