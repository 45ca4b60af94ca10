import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from azureml_scoring.body_budget import BodyBudget
from azureml_scoring.errors import Overloaded, ScoringError
from azureml_scoring.http.asgi import MAX_INLINE_BODY_BYTES, MUST_WAIT, THREADS, Front
from azureml_scoring.http.body_reader import BodyReader
from azureml_scoring.http.connection import CUT_OFF
from azureml_scoring.http.response import Response
from azureml_scoring.inputs.payload import Limits
from azureml_scoring.request import MustWait

LIMITS = Limits(max_bytes=100_000)
GONE = {"type": "http.disconnect"}


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
        self.budget = BodyBudget(LIMITS.max_bytes, turn_timeout_s=0)
        self.hold = self.budget.hold
        self.body_buffer = BodyReader(LIMITS, self.budget).buffer
        self.body_timeout_s = body_timeout_s

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

    def admit(self) -> Any:
        return self._place(1)

    def at_once(self, requests: int) -> Any:
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


@pytest.mark.parametrize(
    ("quick", "size", "thread", "places"),
    [
        (True, MAX_INLINE_BODY_BYTES, "MainThread", 0),
        (True, MAX_INLINE_BODY_BYTES + 1, "request", 1),
        (False, 1, "request", 1),
    ],
)
def test_only_what_takes_microseconds_is_answered_on_the_event_loop(
    quick: bool, size: int, thread: str, places: int
):
    """Everything else would make a probe wait. What is answered at once leaves the others their
    places."""
    endpoint = Endpoint(quick=quick)
    answer = ask(front(endpoint), Client(b"x" * size), content_length=str(size))
    assert answer.body == b"x" * size
    assert endpoint.thread.startswith(thread)
    assert (endpoint.admitted, endpoint.places) == (0, [places])


def test_probes_are_answered_on_the_event_loop():
    """They are answered even when the pool is busy."""
    answer = ask(front(Endpoint(quick=False)), Client(), "/liveness")
    assert (answer.status, answer.headers, answer.body) == (200, [(b"x-\xe9", b"\xe9")], b"alive")
    assert answer.thread == "MainThread"


@pytest.mark.parametrize(("known", "tries"), [((), [0, 1]), ((MUST_WAIT,), [1])])
def test_what_is_not_quick_after_all_is_answered_on_a_thread_that_may_wait(
    known: Any, tries: list[int]
):
    """A method that only scikit-learn has, say. It is admitted like others, and not tried twice."""
    endpoint = Endpoint(must_wait=True)
    assert ask(front(endpoint), Client(b"body"), state=known, content_length="4").body == b"body"
    assert endpoint.thread.startswith("request")
    assert (endpoint.admitted, endpoint.places) == (0, tries)


def test_a_compressed_body_is_not_answered_on_the_event_loop():
    """A few bytes may become ten million."""
    endpoint = Endpoint()
    assert (
        ask(front(endpoint), Client(b"body"), content_length="4", content_encoding="gzip").status
        == 200
    )
    assert endpoint.thread.startswith("request")


@pytest.mark.parametrize(
    ("endpoint", "path", "read"),
    [(Endpoint(), "/other", b""), (Endpoint(path="none"), "/score", b"a body")],
)
def test_flask_answers_what_the_endpoint_does_not_take(endpoint: Endpoint, path: str, read: bytes):
    """Everything else goes to Flask, and a body that nobody reads takes no memory."""
    client = Client(b"a body")
    assert ask(front(endpoint), client, path, content_length="6").body == b"flask got " + read
    assert client.left == ([] if read else [b"a body"])


def test_bodies_for_flask_are_bounded():
    """Nobody has admitted them yet; those that have come make room."""
    app = front(Endpoint(path="none"))
    ask(app, Client(b"a body"), content_length="6")
    app._reading_for_flask += THREADS
    assert ask(app, Client(b"a body"), content_length="6").status == 503
    app._reading_for_flask -= 1
    assert ask(app, Client(b"a body"), content_length="6").status == 200


def test_a_request_that_is_cancelled_makes_room_too():
    """Otherwise a worker would refuse all bodies after some were cancelled."""
    app, client = front(Endpoint(path="none")), Client()

    async def main() -> None:
        task = asyncio.ensure_future(app(scope_of(content_length="6"), client.receive, client.send))
        await asyncio.sleep(0)
        assert app._reading_for_flask == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    assert app._reading_for_flask == 0


def test_a_body_in_chunks_is_joined():
    """It comes without a length."""
    assert ask(front(Endpoint()), Client(b"a", b"b"), transfer_encoding="chunked").body == b"ab"


def test_no_body_is_an_empty_one():
    """Nothing is waited for."""
    assert ask(front(Endpoint()), Client()).body == b""


@pytest.mark.parametrize(
    ("parts", "headers", "code"),
    [
        ([b"x" * 100_001], {"content_length": "100001"}, b"payload_too_large"),
        ([b"x" * 60_000, b"x" * 60_000], {"transfer_encoding": "chunked"}, b"payload_too_large"),
        ([GONE], {"content_length": "9"}, b"incomplete_body"),
        ([b"a", GONE], {"transfer_encoding": "chunked"}, b"incomplete_body"),
    ],
)
@pytest.mark.parametrize("quick", [True, False])
def test_a_body_that_does_not_come_as_it_should_is_told(
    quick: bool, parts: Any, headers: dict[str, str], code: bytes
):
    """The service answers with the error, like every other."""
    assert ask(front(Endpoint(quick=quick)), Client(*parts), **headers).body == code


@pytest.mark.parametrize("quick", [True, False])
def test_a_body_that_was_cut_off_is_not_taken_for_a_whole_one(quick: bool):
    """It is refused even if what arrived is good JSON."""
    app = front(Endpoint(quick=quick))
    assert (
        ask(app, Client(b"[[1]]"), state=[CUT_OFF], transfer_encoding="chunked").body
        == b"incomplete_body"
    )


@pytest.mark.parametrize("quick", [True, False])
def test_a_body_is_not_waited_for_for_ever(quick: bool):
    """The answer is 408, and its place is free again."""
    endpoint = Endpoint(quick=quick, body_timeout_s=0.01)
    assert ask(front(endpoint), Client(), content_length="9").body == b"body_timeout"
    assert endpoint.admitted == 0


def test_what_is_too_large_is_read_to_its_end():
    """The client gets to read the answer."""
    client = Client(b"x" * 90_000, b"x" * 90_000, b"x" * 90_000)
    ask(front(Endpoint()), client, transfer_encoding="chunked")
    assert client.left == []


def test_a_body_for_which_there_is_no_room_is_read_to_its_end():
    """The client gets to read 503; once others are answered, the body is taken."""
    endpoint = Endpoint(quick=False)
    with endpoint.budget.hold() as others:
        others.take(LIMITS.max_bytes - 1_000)
        client = Client(b"x" * MAX_INLINE_BODY_BYTES, b"x" * 9_000, b"x" * 9_000)
        assert ask(front(endpoint), client, transfer_encoding="chunked").body == b"overloaded"
        assert client.left == []
    sent = b"x" * (MAX_INLINE_BODY_BYTES + 9_000)
    assert ask(front(endpoint), Client(sent), transfer_encoding="chunked").body == sent


def test_past_the_in_flight_limit_no_body_is_read():
    """It would take the memory that the limit is there for."""
    client = Client(b"body")
    assert (
        ask(front(Endpoint(quick=False, full=Overloaded("full"))), client, content_length="4").body
        == b"overloaded"
    )
    assert client.left == [b"body"]
