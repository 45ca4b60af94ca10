"""When a connection of our worker ends, and that no answer which is due is lost by it."""

import asyncio

import pytest

import http_connection
from fake_connection import BODY, KEEP_ALIVE, Connection, Lane, busy_connection, request, run


@run
async def test_after_connection_close_the_answer_is_the_last():
    """What is pipelined behind it is not answered."""
    for sent in (request(BODY, "Connection: close"), request(BODY, "Connection: close", "Content-Encoding: identity")):
        connection = Connection(Lane())
        connection.send(sent + request())
        assert await connection.answers(1) == [200]
        assert b"connection: close\r\n" in connection.transport.sent
        assert connection.transport.closed


@run
async def test_http_1_0_gets_one_answer_a_connection():
    """Its clients wait for the end of the connection."""
    connection = Connection(Lane())
    connection.send(request(line="POST /score HTTP/1.0"))
    assert await connection.answers(1) == [200]
    assert connection.transport.closed


@run
async def test_an_idle_connection_is_closed_after_the_keep_alive_time():
    """Counted from its last request, by either way; before its first, from its start."""
    for sent in (b"", request(), request(line="GET /liveness HTTP/1.1")):
        connection = Connection(Lane())
        connection.send(sent)
        await connection.answers(1 if sent else 0)
        connection.later(KEEP_ALIVE - 1)
        assert not connection.transport.closed
        connection.later(KEEP_ALIVE + 1)
        assert connection.transport.closed


@run
async def test_a_head_that_drips_does_not_hold_its_connection():
    """Its bytes do not make it any younger."""
    connection = Connection(Lane())
    connection.send(b"POST /score HTTP/1.1\r\n")
    connection.protocol._since -= KEEP_ALIVE
    connection.send(b"X: y\r\n")
    connection.later(1)
    assert connection.transport.closed


@run
async def test_a_connection_with_a_request_in_flight_is_not_idle():
    """However long its answer takes."""
    connection, lane = busy_connection()
    connection.later(10 * KEEP_ALIVE)
    assert not connection.transport.closed
    lane.hold.set()
    assert await connection.answers(1) == [200]


@run
async def test_too_many_connections_end_the_one_that_is_idle_longest():
    """A probe still gets through; one whose answer is due, or not yet sent, gets it first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_connection, "MOST_CONNECTIONS", 3)
        busy, lane = busy_connection()
        old, asked = (Connection(Lane(), state=busy.state) for _ in range(2))
        asked.send(request())
        old.protocol._since -= 1
        new = Connection(Lane(), state=busy.state)
        assert [each.transport.closed for each in (busy, old, asked, new)] == [False, True, False, False]
        old.protocol.connection_lost(None)
        newest = Connection(Lane(), state=busy.state)
        assert [each.transport.closed for each in (busy, asked, new, newest)] == [False, True, False, False]
        assert asked.transport.sent.endswith(BODY)
        lane.hold.set()
        assert await busy.answers(1) == [200]


@run
async def test_a_connection_too_many_ends_where_all_are_busy():
    """None that waits for its answer is given up for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_connection, "MOST_CONNECTIONS", 1)
        busy, lane = busy_connection()
        assert Connection(Lane(), state=busy.state).transport.closed
        lane.hold.set()
        assert await busy.answers(1) == [200]


@run
async def test_an_idle_client_that_leaves_is_let_go():
    """Nothing is kept open for it."""
    connection = Connection(Lane())
    connection.send(request())
    assert not connection.protocol.eof_received()


@run
async def test_a_client_that_is_gone_gets_no_answer_and_disturbs_nobody():
    """What was admitted is computed to its end, and gives its place back."""
    connection, lane = busy_connection()
    await asyncio.sleep(0.01)
    connection.protocol.connection_lost(ConnectionResetError())
    lane.hold.set()
    await connection.answers(0)
    assert (connection.transport.sent, lane.in_flight, connection.state.connections) == (b"", 0, set())


@run
async def test_a_client_that_has_said_all_may_still_read_its_answer():
    """As one does that shuts down its side behind its request; then the connection ends."""
    connection = Connection(Lane(quick=False))
    connection.send(request())
    assert connection.protocol.eof_received() is True
    assert await connection.answers(1) == [200]
    assert connection.transport.closed


@run
async def test_when_the_server_stops_idle_connections_end_and_others_are_answered_first():
    """Those whose body has not come whole included."""
    idle, reading = Connection(Lane()), Connection(Lane())
    idle.send(request())
    reading.send(request()[:-1])
    for connection in (idle, reading):
        connection.protocol.shutdown()
    assert (idle.transport.closed, reading.transport.closed) == (True, False)
    reading.send(request()[-1:])
    assert await reading.answers(1) == [200]
    assert reading.transport.closed
