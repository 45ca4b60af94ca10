import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from azureml_scoring.body_budget import BodyBudget
from azureml_scoring.errors import Overloaded, ScoringError
from azureml_scoring.http.asgi import MUST_WAIT, SMALL, THREADS, Front
from azureml_scoring.http.connection import CUT_OFF
from azureml_scoring.http.lean_lane import Response
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


class Lane:
    """Answers with what it was given as the body."""

    def __init__(
        self, *, quick: bool = True, full: ScoringError | None = None, must_wait: bool = False
    ) -> None:
        self.admitted = 0
        self.places: list[int] = []
        self.must_wait = must_wait

        class Place:
            def __init__(place, places: int) -> None:  # noqa: N805
                place.places = places

            def __enter__(place) -> float:  # noqa: N805
                if full:
                    raise full
                self.admitted += 1
                self.places.append(place.places)
                return 1.0

            def __exit__(place, *_: object) -> None:  # noqa: N805
                self.admitted -= 1

        self.service = SimpleNamespace(
            quick=quick,
            admission=SimpleNamespace(admit=lambda: Place(1), at_once=lambda requests: Place(0)),
        )
        self.budget = BodyBudget(LIMITS.max_bytes, patience=0)
        self.reader = SimpleNamespace(
            received=self.received, refused=lambda environ, error: error, hold=self.budget.hold
        )

    def received(
        self, environ: Any, body: Any, due: float, *, at_once: bool = False, held: Any = None
    ) -> Any:
        self.at_once = at_once
        return body

    def scores(self, environ: Any) -> bool:
        return bool(environ["PATH_INFO"] == "/score")

    def page(self, environ: Any) -> Response | None:
        return (
            Response(200, [("x-é", "é")], b"alive") if environ["PATH_INFO"] == "/liveness" else None
        )

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


def front(lane: Any, body_timeout: float = 60.0) -> Front:
    return Front(flask, lane, LIMITS, body_timeout)


def scope_of(path: str = "/score", state: Any = (), **headers: str) -> dict[str, Any]:
    return {
        "type": "http", "method": "POST", "path": path, "query_string": b"", "http_version": "1.1", "scheme": "http",
        "server": ("h", 1), "client": ("c", 2), "state": dict.fromkeys(state, True),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip


def ask(
    app: Front, client: Client, path: str = "/score", state: Any = (), **headers: str
) -> Client:
    asyncio.run(app(scope_of(path, state, **headers), client.receive, client.send))
    return client


@pytest.mark.parametrize(
    ("quick", "size", "thread", "places"),
    [(True, SMALL, "MainThread", 0), (True, SMALL + 1, "request", 1), (False, 1, "request", 1)],
)
def test_only_what_takes_microseconds_is_answered_on_the_event_loop(
    quick: bool, size: int, thread: str, places: int
):
    """Everything else would make a probe wait. What is answered at once leaves the others their
    places."""
    lane = Lane(quick=quick)
    answer = ask(front(lane), Client(b"x" * size), content_length=str(size))
    assert answer.body == b"x" * size
    assert lane.thread.startswith(thread)
    assert (lane.admitted, lane.places) == (0, [places])


def test_probes_are_answered_on_the_event_loop():
    """Whatever the pool is at."""
    answer = ask(front(Lane(quick=False)), Client(), "/liveness")
    assert (answer.status, answer.headers, answer.body) == (200, [(b"x-\xe9", b"\xe9")], b"alive")
    assert answer.thread == "MainThread"


@pytest.mark.parametrize(("known", "tries"), [((), [0, 1]), ((MUST_WAIT,), [1])])
def test_what_is_not_quick_after_all_is_answered_on_a_thread_that_may_wait(
    known: Any, tries: list[int]
):
    """As a method that only scikit-learn has. It is admitted as the others are, and not tried where
    it is known."""
    lane = Lane(must_wait=True)
    assert ask(front(lane), Client(b"body"), state=known, content_length="4").body == b"body"
    assert lane.thread.startswith("request")
    assert (lane.admitted, lane.places) == (0, tries)


def test_a_compressed_body_is_not_answered_on_the_event_loop():
    """A few bytes may become ten million."""
    lane = Lane()
    assert (
        ask(front(lane), Client(b"body"), content_length="4", content_encoding="gzip").status == 200
    )
    assert lane.thread.startswith("request")


@pytest.mark.parametrize(
    ("lane", "path", "read"), [(Lane(), "/other", b""), (None, "/score", b"a body")]
)
def test_flask_answers_what_the_lean_lane_does_not_take(lane: Any, path: str, read: bytes):
    """Everything, where there is no lean lane. A body that nobody reads takes no memory."""
    client = Client(b"a body")
    assert ask(front(lane), client, path, content_length="6").body == b"flask got " + read
    assert client.left == ([] if read else [b"a body"])


def test_bodies_for_flask_are_bounded():
    """Nobody has admitted them yet; those that have come make room."""
    app = front(None)
    ask(app, Client(b"a body"), content_length="6")
    app._reading_for_flask += THREADS
    assert ask(app, Client(b"a body"), content_length="6").status == 503
    app._reading_for_flask -= 1
    assert ask(app, Client(b"a body"), content_length="6").status == 200


def test_a_request_that_is_cancelled_makes_room_too():
    """Or a worker would turn bodies down for ever after some had been."""
    app, client = front(None), Client()

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
    assert ask(front(Lane()), Client(b"a", b"b"), transfer_encoding="chunked").body == b"ab"


def test_no_body_is_an_empty_one():
    """Nothing is waited for."""
    assert ask(front(Lane()), Client()).body == b""


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
    """By the service, as every other error."""
    assert ask(front(Lane(quick=quick)), Client(*parts), **headers).body == code


@pytest.mark.parametrize("quick", [True, False])
def test_a_body_that_was_cut_off_is_not_taken_for_a_whole_one(quick: bool):
    """Though what came may be good JSON."""
    app = front(Lane(quick=quick))
    assert (
        ask(app, Client(b"[[1]]"), state=[CUT_OFF], transfer_encoding="chunked").body
        == b"incomplete_body"
    )


@pytest.mark.parametrize("quick", [True, False])
def test_a_body_is_not_waited_for_for_ever(quick: bool):
    """408; its place is free again."""
    lane = Lane(quick=quick)
    assert ask(front(lane, body_timeout=0.01), Client(), content_length="9").body == b"body_timeout"
    assert lane.admitted == 0


def test_what_is_too_large_is_read_to_its_end():
    """So that the client gets to read the answer."""
    client = Client(b"x" * 90_000, b"x" * 90_000, b"x" * 90_000)
    ask(front(Lane()), client, transfer_encoding="chunked")
    assert client.left == []


def test_a_body_for_which_there_is_no_room_is_read_to_its_end():
    """So that the client gets to read 503; once the others are answered it is taken."""
    lane = Lane(quick=False)
    with lane.budget.hold() as others:
        others.take(LIMITS.max_bytes - 1_000)
        client = Client(b"x" * SMALL, b"x" * 9_000, b"x" * 9_000)
        assert ask(front(lane), client, transfer_encoding="chunked").body == b"overloaded"
        assert client.left == []
    sent = b"x" * (SMALL + 9_000)
    assert ask(front(lane), Client(sent), transfer_encoding="chunked").body == sent


def test_past_the_in_flight_limit_no_body_is_read():
    """It would take the memory that the limit is there for."""
    client = Client(b"body")
    assert (
        ask(front(Lane(quick=False, full=Overloaded("full"))), client, content_length="4").body
        == b"overloaded"
    )
    assert client.left == [b"body"]
