import asyncio
from typing import Any

import pytest

from azureml_scoring.http.asgi import MAX_INLINE_BODY_BYTES, MUST_WAIT, THREADS
from azureml_scoring.http.wanted import BEGAN
from fake_asgi import Client, ask, front, scope_of
from fake_endpoint import Endpoint


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
    assert endpoint.threads[-1] == thread
    assert (endpoint.in_flight, endpoint.places) == (0, [places])


def test_probes_are_answered_on_the_event_loop():
    """They are answered even when the pool is busy."""
    answer = ask(front(Endpoint(quick=False)), Client(), "/liveness")
    assert (answer.status, answer.body) == (200, b"alive")
    assert (b"x-\xe9", b"\xe9") in answer.headers
    assert answer.thread == "MainThread"


@pytest.mark.parametrize(("known", "tries"), [((), [0, 1]), ((MUST_WAIT,), [1])])
def test_what_is_not_quick_after_all_is_answered_on_a_thread_that_may_wait(
    known: Any, tries: list[int]
):
    """A method that only scikit-learn has, say. It is admitted like others, and not tried twice."""
    endpoint = Endpoint(must_wait=True)
    assert ask(front(endpoint), Client(b"body"), state=known, content_length="4").body == b"body"
    assert endpoint.threads[-1] == "request"
    assert (endpoint.in_flight, endpoint.places) == (0, tries)


def test_a_compressed_body_is_not_answered_on_the_event_loop():
    """A few bytes may become ten million."""
    endpoint = Endpoint()
    assert (
        ask(front(endpoint), Client(b"body"), content_length="4", content_encoding="gzip").status
        == 200
    )
    assert endpoint.threads[-1] == "request"


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


def test_a_request_knows_since_when_and_until_when_it_is_wanted():
    """The first byte's time is the connection's, and the shorter of two headers counts."""
    endpoint = Endpoint(quick=False)
    headers = {"x_request_timeout_ms": "1500", "x_envoy_expected_rq_timeout_ms": "700"}
    scope = scope_of("/score", content_length="1", **headers)
    scope["state"][BEGAN] = 12.5
    client = Client(b"x")
    asyncio.run(front(endpoint)(scope, client.receive, client.send))
    assert endpoint.terms == (12.5, 0.7)


def test_too_many_bodies_for_flask_are_refused_in_our_form():
    """The status is the one that the setting names."""
    endpoint, busy = Endpoint(path="none"), front(Endpoint(path="none"))
    busy.endpoint, busy._reading_for_flask = endpoint, THREADS
    answer = ask(busy, Client(b"x"), "/score", content_length="1")
    assert (answer.status, answer.body) == (503, b"overloaded")
