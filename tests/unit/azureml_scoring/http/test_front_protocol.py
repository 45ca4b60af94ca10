"""What becomes of requests that wait because the event loop is behind."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Any
from unittest import mock

from azureml_scoring.body_budget import BodyBudget
from azureml_scoring.errors import Overloaded
from azureml_scoring.http import turn, waiting_request
from fake_connection import BODY, Connection, request, run
from fake_endpoint import Endpoint

PROBE = request(line="GET /liveness HTTP/1.1")


@contextlib.contextmanager
def behind(endpoint: Endpoint | None = None) -> Iterator[Connection]:
    """A connection whose first request is answered, after which the loop is behind."""
    with (
        mock.patch.object(turn, "SLICE_S", -1.0),
        mock.patch.object(turn, "MAX_REQUESTS_PER_TURN", 1),
    ):
        connection = Connection(endpoint or Endpoint())
        connection.send(request(b"0"))
        assert bodies(connection) == [b"0"]
        yield connection


def bodies(connection: Connection) -> list[bytes]:
    parts = connection.transport.sent.split(b"HTTP/1.1 ")[1:]
    return [part.partition(b"\r\n\r\n")[2] for part in parts]


@run
async def test_a_request_waits_until_the_loop_has_looked_at_its_sockets():
    """Then it is answered, and the next one that comes at ease is answered at once."""
    with behind() as connection:
        connection.send(request(b"1"))
        assert bodies(connection) == [b"0"]
        assert await connection.answers(2) == [200] * 2
    connection.send(request(b"2"))
    await asyncio.sleep(0)
    assert bodies(connection) == [b"0", b"1", b"2"]


@run
async def test_answers_keep_their_order_however_the_requests_were_cut():
    """Pipelined behind one that waits, in one piece or in several."""
    whole = request(b"1") + request(b"2") + request(b"3")
    for cut in range(len(whole)):
        with behind() as connection:
            connection.send(*(piece for piece in (whole[:cut], whole[cut:]) if piece))
            assert await connection.answers(4) == [200] * 4
        assert bodies(connection) == [b"0", b"1", b"2", b"3"]
        assert connection.transport.reading


@run
async def test_a_probe_sent_behind_a_request_that_waits_is_answered_behind_it():
    """In a piece of its own, the request is computed; in the same piece, it is refused."""
    for pieces, status in (((request(b"1"), PROBE), 200), ((request(b"1") + PROBE,), 503)):
        with behind() as connection:
            connection.send(*pieces)
            assert await connection.answers(3) == [200, status, 200]
        assert bodies(connection)[2] == b"alive"


@run
async def test_who_has_gone_is_not_computed():
    """The connection was lost while the request waited."""
    endpoint = Endpoint()
    with behind(endpoint) as connection:
        connection.send(request(b"1"))
        connection.protocol.connection_lost(ConnectionResetError())
        await asyncio.sleep(0.01)
    assert len(endpoint.threads) == 1
    assert not endpoint.backlog.behind


@run
async def test_who_only_sends_no_more_still_reads_the_answer():
    """The connection ends after it."""
    with behind() as connection:
        connection.send(request(b"1"))
        assert connection.protocol.eof_received()
        assert await connection.answers(2) == [200] * 2
    assert connection.transport.ended


@run
async def test_a_server_that_stops_still_answers_what_waits():
    """Its answer is the last of the connection."""
    with behind() as connection:
        connection.send(request(b"1"))
        connection.state.draining = True
        connection.protocol.shutdown()
        assert connection.protocol.standing() is None
        assert await connection.answers(2) == [200] * 2
    assert connection.transport.ended
    assert b"connection: close" in connection.transport.sent


@run
async def test_after_connection_close_no_other_request_is_answered():
    """Not even one that came in the same piece."""
    with behind() as connection:
        connection.send(request(b"1", "Connection: close") + request(b"2"))
        await connection.answers(2)
        await asyncio.sleep(0.01)
    assert bodies(connection) == [b"0", b"1"]
    assert connection.transport.ended


@run
async def test_what_a_thread_must_answer_waits_only_once():
    """The thread has the whole body; the last answer is still the last."""
    for headers in ((), ("Connection: close",)):
        endpoint = Endpoint()
        with behind(endpoint) as connection:
            endpoint.must_wait = True
            connection.send(request(BODY, *headers))
            assert await connection.answers(2) == [200] * 2
        assert endpoint.threads == ["MainThread", "MainThread", "request"]
        assert bodies(connection)[1] == BODY
        assert connection.transport.ended == bool(headers)


@run
async def test_nonsense_behind_a_request_that_waits_ends_the_connection():
    """The request is answered before it."""
    with behind() as connection:
        connection.send(request(b"1") + b"nonsense\r\n\r\n")
        assert await connection.answers(3) == [200, 503, 400]
    assert connection.transport.ended


@run
async def test_who_can_not_be_answered_in_time_is_refused():
    """Each connection is kept and gets one answer, and some are computed."""
    endpoint = Endpoint()
    with behind(endpoint) as first:
        endpoint.backlog.fall_behind(request_s=40.0)
        others = [Connection(endpoint) for _ in range(20)]
        for connection in others:
            connection.send(request(b"1"))
        statuses = [await connection.answers(1) for connection in others]
        assert sorted({status for (status,) in statuses}) == [200, 503]
        assert not any(connection.transport.ended for connection in [first, *others])


def is_free(budget: BodyBudget, size: int) -> bool:
    """Return True if the budget has all its bytes."""
    with budget.hold(0.0) as one, budget.hold(0.0) as other:
        return not (one.no_room(1) or other.no_room(size - 1))


@run
async def test_what_waits_is_held_within_the_budget_of_bodies():
    """Who finds no room is refused, and its body is not kept; who has gone takes none."""
    endpoint = Endpoint(budget_bytes=20_000)
    with behind(endpoint) as gone:
        others = [Connection(endpoint) for _ in range(20)]
        for connection in [gone, *others]:
            connection.send(request(b" " * 4_000))
        assert not is_free(endpoint.budget, 20_000)
        gone.protocol.connection_lost(ConnectionResetError())
        statuses = [(await connection.answers(1))[0] for connection in others]
    assert statuses == [200] * 2 + [503] * 18
    assert not any(connection.transport.ended for connection in others)
    assert is_free(endpoint.budget, 20_000)


@run
async def test_who_sends_more_behind_a_request_than_there_is_room_for_is_cut_off():
    """In one piece or in several; one answer says so, and nothing is kept."""
    many = request(b"2") * 100
    for pieces in ((request(b"1") + many,), (request(b"1"), many)):
        endpoint = Endpoint(budget_bytes=10_000)
        with behind(endpoint) as connection:
            other = Connection(endpoint)
            other.send(request(b"0"))
            connection.send(*pieces)
            assert connection.transport.ended
            assert await connection.answers(2) == [200, 503]
            assert await other.answers(1) == [200]
        assert is_free(endpoint.budget, 10_000)


@run
async def test_refusals_leave_room_for_probes_whatever_the_model():
    """A model that is not quick refuses at the head of a request; after a slice of that, the loop
    looks at its sockets, and the rest is refused later, in order."""

    class Full(Endpoint):
        def turn_away(self, due: float) -> Overloaded:
            return Overloaded("full")

    endpoint = Full(quick=False)
    connections = [Connection(endpoint) for _ in range(3)]
    with mock.patch.object(turn, "SLICE_S", -1.0):
        for connection in connections:
            connection.send(request(b"1"), request(b"2"))
    assert [connection.statuses for connection in connections] == [[503], [], []]
    for connection in connections:
        assert await connection.answers(2) == [503] * 2
    assert not endpoint.backlog.behind
    assert is_free(endpoint.budget, 10**6)


@run
async def test_the_callers_deadline_counts_while_a_request_waits():
    """Past it the answer is 504, and nothing is computed; who allows more time gets an answer."""
    endpoint = Endpoint()
    with behind(endpoint) as connection:
        other = Connection(endpoint)
        connection.send(request(b"1", "x-request-timeout-ms: 1"))
        other.send(request(b"2", "x-request-timeout-ms: 60000"))
        time.sleep(0.002)
        assert await connection.answers(2) == [200, 504]
        assert await other.answers(1) == [200]
    assert bodies(connection)[1] == b"deadline_exceeded"
    assert len(endpoint.threads) == 2


@run
async def test_a_request_that_fails_after_it_waited_ends_its_connection():
    """The log says why, and the loop goes on with those that wait behind it."""

    class Broken(Endpoint):
        def begin(self, environ: Any, body: bytes, joint: Any, waited_s: float) -> Any:
            if body == b"1":
                raise ZeroDivisionError
            return super().begin(environ, body, joint, waited_s)

    endpoint = Broken()
    with (
        behind(endpoint) as connection,
        mock.patch.object(waiting_request.logger, "exception") as logged,
    ):
        connection.send(request(b"1"))
        await asyncio.sleep(0.01)
    assert connection.transport.closed
    assert logged.called
    assert not endpoint.backlog.behind
