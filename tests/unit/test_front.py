import asyncio
import contextlib
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from errors import Overloaded, ScoringError
from front import CONNECTIONS, SMALL, THREADS, Front
from front_loop import FrontLoop
from lean_lane import Response
from payload import Limits
from service import MustWait

LIMITS = Limits(max_bytes=100_000)


class Future:
    """A part of a body that is there."""

    _asyncio_future_blocking = True

    def __init__(self, part: bytes | BaseException) -> None:
        self._part = part

    def __await__(self) -> Any:
        yield self
        return self._part

    def add_done_callback(self, callback: Any, *, context: Any) -> None:
        callback(self)

    def result(self) -> None:
        if isinstance(self._part, BaseException):
            raise self._part


class Protocol:
    """A client's request. ``answered`` is set with the response."""

    def __init__(self, *parts: bytes | BaseException) -> None:
        broken = any(isinstance(part, BaseException) for part in parts)
        self.left = [*parts, b"", *([] if broken else [StopAsyncIteration()])]
        self.answered = threading.Event()

    def __call__(self) -> Future:
        return Future(self.left.pop(0))

    def __aiter__(self) -> "Protocol":
        return self

    def __anext__(self) -> Future:
        return Future(self.left.pop(0))

    def response_bytes(self, *response: Any) -> None:
        self.response = Response(*response)
        self.thread = threading.current_thread().name
        self.answered.set()


class Lane:
    """Answers with what it was given as the body."""

    def __init__(self, *, quick: bool = True, full: ScoringError | None = None, must_wait: bool = False) -> None:
        self.admitted = 0
        self.must_wait = must_wait

        class Place:
            def __init__(place, places: int | None = None) -> None:  # noqa: N805
                self.places = places

            def __enter__(place) -> float:  # noqa: N805
                if full:
                    raise full
                self.admitted += 1
                return 1.0

            def __exit__(place, *_: object) -> None:  # noqa: N805
                self.admitted -= 1

        self.service = SimpleNamespace(quick=quick, admission=SimpleNamespace(admit=Place))
        self.reader = SimpleNamespace(received=self.received, refused=lambda environ, error: error)

    def received(self, environ: Any, body: Any, due: float, *, at_once: bool = False) -> Any:
        self.at_once = at_once
        return body

    def scores(self, environ: Any) -> bool:
        return bool(environ["PATH_INFO"] == "/score")

    def page(self, environ: Any) -> Response | None:
        return Response(200, [], b"alive") if environ["PATH_INFO"] == "/liveness" else None

    def score(self, request: bytes | ScoringError, started: float) -> Response:
        self.thread = threading.current_thread().name
        if self.must_wait and self.at_once:
            raise MustWait
        if isinstance(request, ScoringError):
            return Response(int(request.status), [], request.code.encode())
        return Response(200, [], request)


def flask(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"flask got ", environ["wsgi.input"].read()]


def ask(lane: Any, protocol: Protocol, path: str = "/score", front: Front | None = None, **headers: str) -> Protocol:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    scope = SimpleNamespace(
        method="POST", path=path, query_string="", http_version="1.1", scheme="http", server="h:1", client="c:2",
        headers=SimpleNamespace(items=lambda: pairs),
    )  # fmt: skip
    front, loop = front or Front(flask, lane, LIMITS, body_timeout=1.0), FrontLoop()
    with contextlib.closing(loop):
        thread = threading.Thread(target=lambda: loop.create_task(front.__rsgi__(scope, protocol)), name="granian")
        thread.start()
        thread.join()
        assert protocol.answered.wait(10)
    return protocol


@pytest.mark.parametrize(
    ("quick", "size", "thread"), [(True, SMALL, "granian"), (True, SMALL + 1, "request"), (False, 1, "request")]
)
def test_only_what_takes_microseconds_is_answered_on_granians_thread(quick: bool, size: int, thread: str):
    """Everything else would make a probe wait."""
    lane = Lane(quick=quick)
    answer = ask(lane, Protocol(b"x" * size), content_length=str(size))
    assert answer.response.body == b"x" * size
    assert lane.thread.startswith(thread)
    assert lane.admitted == 0
    assert lane.places == (CONNECTIONS if thread == "granian" else None)


def test_probes_are_answered_on_granians_thread():
    """Whatever the pool is at."""
    answer = ask(Lane(quick=False), Protocol(), "/liveness")
    assert (answer.response.body, answer.thread) == (b"alive", "granian")


def test_what_is_not_quick_after_all_is_answered_on_a_thread_that_may_wait():
    """As a method that only scikit-learn has. It is admitted as the others are."""
    lane = Lane(must_wait=True)
    assert ask(lane, Protocol(b"body"), content_length="4").response.body == b"body"
    assert lane.thread.startswith("request")
    assert (lane.admitted, lane.places) == (0, None)


def test_a_compressed_body_is_not_answered_on_granians_thread():
    """A few bytes may become ten million."""
    lane = Lane()
    assert ask(lane, Protocol(b"body"), content_length="4", content_encoding="gzip").response.status == 200
    assert lane.thread.startswith("request")


@pytest.mark.parametrize(("lane", "path", "read"), [(Lane(), "/other", b""), (None, "/score", b"a body")])
def test_flask_answers_what_the_lean_lane_does_not_take(lane: Any, path: str, read: bytes):
    """Everything, where there is no lean lane. A body that nobody reads takes no memory."""
    protocol = Protocol(b"a body")
    assert ask(lane, protocol, path, content_length="6").response.body == b"flask got " + read
    assert len(protocol.left) == (2 if read else 3)


def test_bodies_for_flask_are_bounded():
    """Nobody has admitted them yet."""
    front = Front(flask, None, LIMITS, body_timeout=1.0)
    front._reading = dict.fromkeys(map(str, range(THREADS)), 0.0)
    assert ask(None, Protocol(b"a body"), front=front, content_length="6").response.status == 503


def test_a_body_in_chunks_is_joined():
    """It comes without a length."""
    assert ask(Lane(), Protocol(b"a", b"b"), transfer_encoding="chunked").response.body == b"ab"


def test_no_body_is_an_empty_one():
    """Nothing is waited for."""
    assert ask(Lane(), Protocol(AssertionError())).response.body == b""


@pytest.mark.parametrize(
    ("parts", "headers", "code"),
    [
        ([b"x" * 100_001], {"content_length": "100001"}, b"payload_too_large"),
        ([b"x" * 60_000, b"x" * 60_000], {"transfer_encoding": "chunked"}, b"payload_too_large"),
        ([asyncio.CancelledError()], {"content_length": "9"}, b"body_timeout"),
        ([RuntimeError("gone")], {"content_length": "9"}, b"incomplete_body"),
        ([b"a", RuntimeError("gone")], {"transfer_encoding": "chunked"}, b"incomplete_body"),
        ([b"a", b"", b""], {"transfer_encoding": "chunked"}, b"incomplete_body"),
    ],
)
def test_a_body_that_does_not_come_as_it_should_is_told(parts: list[Any], headers: dict[str, str], code: bytes):
    """By the service, as every other error."""
    protocol = Protocol(*parts)
    assert ask(Lane(), protocol, **headers).response.body == code


def test_what_is_too_large_is_read_to_its_end():
    """So that the client gets to read the answer."""
    protocol = Protocol(b"x" * 90_000, b"x" * 90_000, b"x" * 90_000)
    ask(Lane(), protocol, transfer_encoding="chunked")
    assert protocol.left == [] or isinstance(protocol.left[0], StopAsyncIteration)


def test_past_the_in_flight_limit_no_body_is_read():
    """It would take the memory that the limit is there for."""
    protocol = Protocol(b"body")
    assert ask(Lane(full=Overloaded("full")), protocol, content_length="4").response.body == b"overloaded"
    assert protocol.left[0] == b"body"
