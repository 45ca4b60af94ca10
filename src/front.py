"""The RSGI application of our fast server: reads a request's body without a thread, then answers it where that is best.

Probes and models that answer in microseconds are answered right on granian's thread; everything else on a thread of a
pool, so that a probe waits for no score. The requests that the lean lane does not take go to the server's Flask.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import wsgi_bridge
from errors import BodyTimeout, ClientError, IncompleteBody, Overloaded, ScoringError
from front_loop import InPool
from http_request import SKIPPED, Environ
from lean_lane import SCORE, LeanLane, Response, Wsgi
from payload import Limits
from service import MustWait

THREADS = 64
"""Of a worker: more than the requests that it admits, so that Flask's find one too."""

SMALL = 65_536
"""Bytes of a body that is parsed in less time than a probe may wait."""

CONNECTIONS = 1024
"""Of a worker: as many requests may wait to be answered at once, which holds nothing but their small bodies. They leave
the others their own places."""

TICK = 0.25
"""Seconds between looks for bodies that are overdue."""


class Front:
    """``lane``: None where the server's Flask is to answer everything. ``body_timeout`` in seconds."""

    def __init__(self, flask: Wsgi, lane: LeanLane | None, limits: Limits, body_timeout: float) -> None:
        self._flask = flask
        self._lane = lane
        self._limits = limits
        self._body_timeout = body_timeout
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="request")
        self._reading: dict[Any, float] = {}

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        def cancel_overdue() -> None:
            now = time.monotonic()
            for future, due in list(self._reading.items()):
                if now > due:
                    future.cancel()
            loop.call_later(TICK, cancel_overdue)

        loop.call_later(TICK, cancel_overdue)

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        started = time.perf_counter()
        environ = wsgi_bridge.environ_of(scope)
        lane = self._lane
        if lane is not None and lane.scores(environ):
            response = await self._score(lane, environ, protocol, started)
        elif lane is not None and (page := lane.page(environ)) is not None:
            response = page
        else:
            response = await self._by_flask(scope, environ, protocol)
        protocol.response_bytes(*response)

    async def _score(self, lane: LeanLane, environ: Environ, protocol: Any, started: float) -> Response:
        """Admitted before its body is read."""
        service, reader = lane.service, lane.reader
        plain = "HTTP_CONTENT_ENCODING" not in environ
        at_once = service.quick and plain and 0 < _announced(environ) <= SMALL
        try:
            if not at_once:
                with service.admission.admit() as due:
                    body = await self._body(environ, protocol)
                    return await self._in_pool(lane.score, reader.received(environ, body, due), started)
            with service.admission.admit(CONNECTIONS) as due:
                body = await self._body(environ, protocol)
                with contextlib.suppress(MustWait):
                    return lane.score(reader.received(environ, body, due, at_once=True), started)
            with service.admission.admit() as due:
                return await self._in_pool(lane.score, reader.received(environ, body, due), started)
        except Overloaded as error:
            return lane.score(reader.refused(environ, error), started)

    async def _by_flask(self, scope: Any, environ: Environ, protocol: Any) -> Response:
        """Only /score reads a body there; as many may be on their way as there are threads to answer them."""
        body: bytes | ScoringError = b""
        if environ["PATH_INFO"] == SCORE:
            full = len(self._reading) >= THREADS
            body = Overloaded("Too many bodies are on their way.") if full else await self._body(environ, protocol)
        return await self._in_pool(wsgi_bridge.call, self._flask, scope, environ, body)

    async def _in_pool(self, function: Callable[..., Response], *args: Any) -> Response:
        response: Response = await InPool(self._pool.submit(function, *args))
        return response

    async def _body(self, environ: Environ, protocol: Any) -> bytes | ClientError:
        announced = _announced(environ)
        if not announced and "HTTP_TRANSFER_ENCODING" not in environ:
            return b""
        due = time.monotonic() + self._body_timeout
        try:
            if 0 < announced <= self._limits.max_bytes:
                whole: bytes = await self._until(due, protocol())
                return whole
            return await self._counted(announced, due, protocol)
        except ClientError as error:
            return error
        except asyncio.CancelledError:
            return BodyTimeout(f"The request body did not arrive within {self._body_timeout:g} seconds.", "")
        except Exception as error:  # granian's own for a client that breaks off or chunks badly
            incomplete = IncompleteBody("The request body could not be read to its end.", "")
            incomplete.__cause__ = error
            return incomplete

    async def _counted(self, announced: int, due: float, protocol: Any) -> bytes:
        """One that is too large is read and thrown away, so that the client gets to read the answer."""
        stream, chunks, size = aiter(protocol), list[bytes](), 0
        while size <= SKIPPED and (chunk := await self._until(due, stream.__anext__())):
            size += len(chunk)
            if max(announced, size) <= self._limits.max_bytes:
                chunks.append(chunk)
        if size <= SKIPPED and not await self._ended(stream, due):
            raise IncompleteBody("The request body could not be read to its end.", "")
        self._limits.check_bytes(max(announced, size))
        return b"".join(chunks)

    async def _ended(self, stream: Any, due: float) -> bool:
        """After the empty chunk with which granian tells an end it has no more; after a body that broke off it has."""
        try:
            await self._until(due, stream.__anext__())
        except StopAsyncIteration:
            return True
        return False

    async def _until(self, due: float, future: Any) -> Any:
        """Raises CancelledError."""
        self._reading[future] = due
        try:
            return await future
        finally:
            del self._reading[future]


def _announced(environ: Environ) -> int:
    """The length of the body; 0 where it is not told."""
    return int(environ.get("CONTENT_LENGTH") or 0)
