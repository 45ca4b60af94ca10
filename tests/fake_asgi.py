"""A client and an endpoint for the tests of our ASGI application."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from azureml_scoring.admission.wait_limit import WaitLimit
from azureml_scoring.body_budget import BodyBudget
from azureml_scoring.errors import ScoringError
from azureml_scoring.http.asgi import Front
from azureml_scoring.http.backlog import Backlog
from azureml_scoring.http.body_reader import BodyReader
from azureml_scoring.http.response import Response
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.request import MustWait

LIMITS = Limits(max_bytes=100_000)


class Client:
    """Sends its body in ``parts``, and then nothing more."""

    def __init__(self, *parts: bytes | dict[str, str]) -> None:
        self.left = list(parts)
        self.headers: list[tuple[bytes, bytes]] = []
        self.status, self.body = 0, b""

    async def receive(self) -> dict[str, Any]:
        if not self.left:
            await asyncio.Event().wait()
        part = self.left.pop(0)
        return (
            part
            if isinstance(part, dict)
            else {"type": "http.request", "body": part, "more_body": bool(self.left)}
        )

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], message["headers"]
        else:
            self.body, self.thread = message["body"], threading.current_thread().name


class Endpoint:
    """Answers with what it was given as the body. ``path``: of the requests to score."""

    def __init__(
        self,
        *,
        quick: bool = True,
        full: ScoringError | None = None,
        must_wait: bool = False,
        path: str = "/score",
        body_timeout_s: float = 60.0,
    ) -> None:
        self.quick = quick
        self.full = full
        self.must_wait = must_wait
        self.path = path
        self.admitted = 0
        self.places: list[int] = []
        self.budget = BodyBudget(LIMITS.max_bytes)
        self.hold = self.budget.hold
        self.body_buffer = BodyReader(LIMITS, self.budget).buffer
        self.body_timeout_s = body_timeout_s
        self.backlog = Backlog(lambda: WaitLimit(60.0))

    def due(self, started: float | None, wanted_for: float | None) -> float:
        self.terms = started, wanted_for
        return 1.0

    def turn_away(self, due: float) -> ScoringError | None:
        return self.full

    @contextlib.contextmanager
    def _place(self, places: int) -> Iterator[float]:
        if self.full:
            raise self.full
        self.admitted += 1
        self.places.append(places)
        try:
            yield 1.0
        finally:
            self.admitted -= 1

    def admit(self, due: float) -> Any:
        return self._place(1)

    def at_once(self, requests: int, began: float = 0.0) -> Any:
        return self._place(0)

    def scores(self, environ: Any) -> bool:
        return bool(environ["PATH_INFO"] == self.path)

    def page(self, environ: Any) -> Response | None:
        return (
            Response(200, [("x-é", "é")], b"alive") if environ["PATH_INFO"] == "/liveness" else None
        )

    def score(
        self,
        environ: Any,
        body: bytes | ScoringError,
        due: float,
        started: float,
        *,
        held: Any = None,
        may_wait: bool = True,
    ) -> Response:
        self.thread = threading.current_thread().name
        if self.must_wait and not may_wait:
            raise MustWait
        if isinstance(body, ScoringError):
            return self.refuse(environ, body, started)
        return Response(200, [], body)

    def refuse(self, environ: Any, error: ScoringError, started: float) -> Response:
        return Response(int(error.status), [], error.code.encode())


def flask(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"flask got ", environ["wsgi.input"].read()]


def front(endpoint: Any) -> Front:
    return Front(flask, endpoint)


def scope_of(path: str = "/score", state: Any = (), **headers: str) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "http",
        "server": ("h", 1),
        "client": ("c", 2),
        "state": dict.fromkeys(state, True),
        "headers": [
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
        ],
    }


def ask(
    app: Front, client: Client, path: str = "/score", state: Any = (), **headers: str
) -> Client:
    asyncio.run(app(scope_of(path, state, **headers), client.receive, client.send))
    return client
