"""The end of a connection of our worker, by which no answer that is due is lost."""

import asyncio

import pytest

from azureml_scoring.http.connections import PROBE_CONNECTIONS, WRITE_TIMEOUT_S
from fake_connection import BODY, KEEP_ALIVE_S, Connection, busy_connection, request, run
from fake_endpoint import Endpoint


@run
async def test_after_connection_close_the_answer_is_the_last():
    """What is pipelined behind it is not answered."""
    for sent in (
        request(BODY, "Connection: close"),
        request(BODY, "Connection: close", "Content-Encoding: identity"),
    ):
        connection = Connection(Endpoint())
        connection.send(sent + request())
        assert await connection.answers(1) == [200]
        assert b"connection: close\r\n" in connection.transport.sent
        assert connection.transport.ended


@run
async def test_http_1_0_gets_one_answer_a_connection():
    """Its clients wait for the end of the connection."""
    connection = Connection(Endpoint())
    connection.send(request(line="POST /score HTTP/1.0"))
    assert await connection.answers(1) == [200]
    assert connection.transport.ended


@run
async def test_an_idle_connection_is_closed_after_the_keep_alive_time():
    """The time counts from its last request, and before the first from its start."""
    for sent in (b"", request(), request(line="GET /liveness HTTP/1.1")):
        connection = Connection(Endpoint())
        connection.send(sent)
        await connection.answers(1 if sent else 0)
        connection.later(KEEP_ALIVE_S - 1)
        assert not connection.transport.ended
        connection.later(KEEP_ALIVE_S + 1)
        assert connection.transport.ended


@run
async def test_a_head_that_drips_does_not_hold_its_connection():
    """Bytes that arrive one by one do not restart the time."""
    connection = Connection(Endpoint())
    connection.send(b"POST /score HTTP/1.1\r\n")
    connection.protocol._since -= KEEP_ALIVE_S
    connection.send(b"X: y\r\n")
    connection.later(1)
    assert connection.transport.ended


@run
async def test_a_connection_with_a_request_in_flight_is_not_idle():
    """It stays open however long its answer takes."""
    connection, endpoint = busy_connection()
    connection.later(10 * KEEP_ALIVE_S)
    assert not connection.transport.ended
    endpoint.hold_back.set()
    assert await connection.answers(1) == [200]


@run
async def test_too_many_connections_end_the_one_that_is_idle_longest():
    """A probe still gets through; a connection that is owed an answer gets it first."""
    busy, endpoint = busy_connection(most=3)
    old, asked = (Connection(Endpoint(), state=busy.state) for _ in range(2))
    asked.send(request())
    old.protocol._since -= 1
    new = Connection(Endpoint(), state=busy.state)
    assert [each.transport.ended for each in (busy, old, asked, new)] == [False, True, False, False]
    old.protocol.connection_lost(None)
    newest = Connection(Endpoint(), state=busy.state)
    assert [each.transport.ended for each in (busy, asked, new, newest)] == [
        False,
        True,
        False,
        False,
    ]
    assert asked.transport.sent.endswith(BODY)
    endpoint.hold_back.set()
    assert await busy.answers(1) == [200]


@run
async def test_where_none_is_idle_those_end_that_keep_their_own_request_waiting_longest():
    """Clients that send half a body or read no answer do not keep a probe out."""
    busy, endpoint = busy_connection(most=5)
    idle, half, other, deaf = (
        Connection(Endpoint(quick=quick), state=busy.state) for quick in (True, True, False, True)
    )
    half.send(request()[:-1])
    other.send(request()[:-1])
    deaf.send(request())
    await deaf.answers(1, others_done=False)
    deaf.transport.unsent = 100_000
    deaf.transport.close()  # it asked for that, which does not end it either
    for age, connection in enumerate((half, other, deaf)):
        connection.protocol._since -= 10 - age
    ended = []
    for _ in range(4):
        probe = Connection(Endpoint(), state=busy.state)
        gone = [each for each in (busy, idle, half, other, deaf, probe) if each not in ended]
        ended += [
            each
            for each in gone
            if each.transport.aborted or (each is idle and each.transport.closed)
        ]
        probe.send(request(line="GET /liveness HTTP/1.1"))
        assert await probe.answers(1, others_done=False) == [200]
        for each in (ended[-1], probe):
            each.protocol.connection_lost(None)
        Connection(Endpoint(quick=False), state=busy.state).send(request()[:-1])
    assert ended == [idle, half, other, deaf]
    endpoint.hold_back.set()
    assert await busy.answers(1, others_done=False) == [200]


@run
async def test_places_are_kept_for_probes_where_all_are_at_work():
    """No answer that is being computed is given up; beyond these places the new one ends."""
    busy, endpoint = busy_connection(most=1)
    others = list[Connection]()
    for _ in range(PROBE_CONNECTIONS + 1):
        others.append(Connection(endpoint, state=busy.state))
        if not others[-1].transport.ended:
            others[-1].send(request())
    assert [other.transport.ended for other in others] == [False] * PROBE_CONNECTIONS + [True]
    endpoint.hold_back.set()
    assert await busy.answers(1) == [200]


@run
async def test_a_client_that_reads_none_of_its_answers_is_let_go():
    """Its connection ends after the write timeout; a client that reads slowly keeps its own."""
    deaf, slow, idle = Connection(Endpoint()), Connection(Endpoint()), Connection(Endpoint())
    deaf.transport.unsent = slow.transport.unsent = 100_000
    for second in range(int(WRITE_TIMEOUT_S) + 2):
        for connection in (deaf, slow, idle):
            connection.later(second)
        slow.transport.unsent -= 1
    assert (deaf.transport.aborted, slow.transport.ended, idle.transport.ended) == (
        True,
        False,
        False,
    )


@run
async def test_an_idle_client_that_leaves_is_let_go():
    """Nothing is kept open for it."""
    connection = Connection(Endpoint())
    connection.send(request())
    assert not connection.protocol.eof_received()


@run
async def test_a_client_that_is_gone_gets_no_answer_and_disturbs_nobody():
    """What was admitted is computed to its end, and gives its place back."""
    connection, endpoint = busy_connection()
    await asyncio.sleep(0.01)
    connection.protocol.connection_lost(ConnectionResetError())
    endpoint.hold_back.set()
    await connection.answers(0)
    assert (connection.transport.sent, endpoint.in_flight, connection.state.connections) == (
        b"",
        0,
        set(),
    )


def test_a_client_that_is_gone_before_its_answers_are_written_leaves_no_line(
    caplog: pytest.LogCaptureFixture,
):
    """The log stays empty even if several answers were due and the first was being written."""

    @run
    async def test() -> None:
        connection = Connection(Endpoint())
        connection.protocol.pause_writing()
        connection.send(request(line="GET /liveness HTTP/1.1") * 3)
        await asyncio.sleep(0.01)
        connection.transport.close()
        connection.protocol.connection_lost(ConnectionResetError())
        await connection.answers(0)

    test()
    assert caplog.records == []


@run
async def test_a_client_that_has_said_all_may_still_read_its_answer():
    """It may shut down its side behind its request, and is asked whether it still reads; then the
    connection ends."""
    connection = Connection(Endpoint(quick=False))
    connection.send(request())
    assert connection.protocol.eof_received() is True
    assert await connection.answers(2) == [100, 200]
    assert connection.transport.ended


@run
async def test_when_the_server_stops_idle_connections_end_and_others_are_answered_first():
    """Requests whose body has not arrived whole are answered too."""
    idle, reading = Connection(Endpoint()), Connection(Endpoint())
    idle.send(request())
    reading.send(request()[:-1])
    for connection in (idle, reading):
        connection.protocol.shutdown()
    assert (idle.transport.ended, reading.transport.ended) == (True, False)
    reading.send(request()[-1:])
    assert await reading.answers(1) == [200]
    assert reading.transport.ended
