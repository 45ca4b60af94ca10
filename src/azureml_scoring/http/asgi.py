"""The ASGI application of our worker: reads a request's body without a thread, then answers it
where that is best.

Probes and models that answer in microseconds are answered right on the event loop; everything else
on a thread of a pool, so that a probe waits for no score. The requests that the lean lane does not
take go to the server's Flask.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from azureml_scoring.body_budget import LARGE, Held
from azureml_scoring.errors import BodyTimeout, IncompleteBody, Overloaded, ScoringError
from azureml_scoring.http import wsgi_bridge
from azureml_scoring.http.body_reader import SKIPPED, Environ
from azureml_scoring.http.connection import CUT_OFF, REFUSED
from azureml_scoring.http.head import length
from azureml_scoring.http.lean_lane import LeanLane, Response, Wsgi, is_score
from azureml_scoring.http.turn import Turn
from azureml_scoring.inputs.payload import Limits
from azureml_scoring.request import MustWait

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

THREADS = 64
"""Of a worker: more than the requests that it admits, so that Flask's find one too."""

SMALL = 65_536
"""Bytes of a body that is parsed in less time than a probe may wait."""

MUST_WAIT = "scoring.must_wait"
"""In the ``state`` of a request's scope: it is none to be answered at once, as has been tried."""


class Front:
    """``lane``: None where the server's Flask is to answer everything. ``body_timeout`` in
    seconds."""

    def __init__(
        self, flask: Wsgi, lane: LeanLane | None, limits: Limits, body_timeout: float
    ) -> None:
        self.lane = lane
        self.turn = Turn(lane.service.admission.at_once if lane else contextlib.nullcontext)
        self._flask = flask
        self._limits = limits
        self._body_timeout = body_timeout
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="request")
        self._reading_for_flask = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        environ = wsgi_bridge.environ_of(scope)
        lane, refused = self.lane, scope["state"].get(REFUSED)
        if refused:
            response = _refusal(lane, environ, refused, started)
        elif lane is not None and lane.scores(environ):
            response = await self._score(lane, scope, environ, receive, started)
        elif lane is not None and (page := lane.page(environ)) is not None:
            response = page
        else:
            response = await self._by_flask(scope, environ, receive)
        await _respond(response, send)

    async def _score(
        self, lane: LeanLane, scope: Scope, environ: Environ, receive: Receive, started: float
    ) -> Response:
        """Admitted before its body is read; but for a small one that is answered at once, which
        takes no place."""
        service, reader, body = lane.service, lane.reader, None
        plain = "HTTP_CONTENT_ENCODING" not in environ and MUST_WAIT not in scope["state"]
        if service.quick and plain and 0 < _announced(environ) <= SMALL:
            body = await self._body(scope, environ, receive)
            with contextlib.suppress(MustWait), service.admission.at_once(1) as due:
                return lane.score(reader.received(environ, body, due, at_once=True), started)
        try:
            with service.admission.admit() as due, reader.hold() as held:
                if body is None:
                    body = await self._body(scope, environ, receive, held)
                return await self._in_pool(
                    lane.score, reader.received(environ, body, due, held=held), started
                )
        except Overloaded as error:
            return lane.score(reader.refused(environ, error), started)

    async def _by_flask(self, scope: Scope, environ: Environ, receive: Receive) -> Response:
        """Only /score reads a body there; as many may be on their way as there are threads to
        answer them."""
        body: bytes | ScoringError = b""
        if is_score(environ["PATH_INFO"]):
            if self._reading_for_flask >= THREADS:
                body = Overloaded("Too many bodies are on their way.")
            else:
                self._reading_for_flask += 1
                try:
                    body = await self._body(scope, environ, receive)
                finally:
                    self._reading_for_flask -= 1
        return await self._in_pool(wsgi_bridge.call, self._flask, scope, environ, body)

    async def _in_pool(self, function: Callable[..., Response], *args: Any) -> Response:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *args)

    async def _body(
        self, scope: Scope, environ: Environ, receive: Receive, held: Held | None = None
    ) -> bytes | ScoringError:
        announced = _announced(environ)
        if not announced and "HTTP_TRANSFER_ENCODING" not in environ:
            return b""
        try:
            async with asyncio.timeout(self._body_timeout):
                return await self._counted(announced, scope, receive, held)
        except ScoringError as error:
            return error
        except TimeoutError:
            return BodyTimeout(
                f"The request body did not arrive within {self._body_timeout:g} seconds.", ""
            )

    async def _counted(
        self, announced: int, scope: Scope, receive: Receive, held: Held | None
    ) -> bytes:
        """One that is too large, or has no room, is read all the same, so that the client gets to
        read the answer."""
        kept, size, more, no_room = io.BytesIO(), 0, True, None
        while more and size <= SKIPPED:
            message = await receive()
            if message["type"] == "http.disconnect" or CUT_OFF in scope["state"]:
                raise IncompleteBody("The request body could not be read to its end.", "")
            chunk, more = message["body"], message["more_body"]
            size += len(chunk)
            if max(announced, size) <= self._limits.max_bytes and not no_room:
                no_room = held.no_room(len(chunk)) if held and size > LARGE else None
                kept.write(chunk)
            else:
                kept = io.BytesIO()
        self._limits.check_bytes(max(announced, size))
        if no_room:
            raise no_room
        return kept.getvalue()


def _announced(environ: Environ) -> int:
    """The length of the body; 0 where it is not told."""
    return length(environ.get("CONTENT_LENGTH"))


def _refusal(
    lane: LeanLane | None, environ: Environ, error: ScoringError, started: float
) -> Response:
    """A request to score that is refused counts as one."""
    if lane is not None and lane.scores(environ):
        return lane.score(lane.reader.refused(environ, error), started)
    return wsgi_bridge.refusal(error)


async def _respond(response: Response, send: Send) -> None:
    headers = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
