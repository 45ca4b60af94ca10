"""Our ASGI application reads a body within its limits, or refuses it."""

from typing import Any

import pytest

from azureml_scoring.errors import Overloaded
from azureml_scoring.http.asgi import MAX_INLINE_BODY_BYTES
from azureml_scoring.http.connection import CUT_OFF
from fake_asgi import Client, ask, front
from fake_endpoint import LIMITS, Endpoint

GONE = {"type": "http.disconnect"}


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
    assert endpoint.in_flight == 0


def test_what_is_too_large_is_read_to_its_end():
    """The client gets to read the answer."""
    client = Client(b"x" * 90_000, b"x" * 90_000, b"x" * 90_000)
    ask(front(Endpoint()), client, transfer_encoding="chunked")
    assert client.left == []


def test_a_body_for_which_there_is_no_room_is_read_to_its_end():
    """The client gets to read 503; once others are answered, the body is taken."""
    endpoint = Endpoint(quick=False, budget_bytes=LIMITS.max_bytes)
    with endpoint.budget.hold(0.0) as others:
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
