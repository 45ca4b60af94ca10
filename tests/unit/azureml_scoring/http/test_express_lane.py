"""Which requests the express lane answers, and that they are answered as by every other way."""

import asyncio
import logging.handlers

import pytest

from azureml_scoring.http.asgi import MAX_INLINE_BODY_BYTES
from fake_connection import BODY, KEEP_ALIVE_S, Connection, request, run
from fake_endpoint import Endpoint


@run
async def test_a_request_in_one_piece_is_answered_on_the_spot():
    """No task is made for it, and it counts as in flight meanwhile."""
    endpoint = Endpoint()
    connection = Connection(endpoint)
    connection.send(request())
    assert endpoint.threads == ["MainThread"]
    await asyncio.sleep(0)
    assert (
        connection.transport.sent
        == b"HTTP/1.1 200 OK\r\ndate: today\r\nContent-Length: 15\r\n\r\n" + BODY
    )
    assert (endpoint.in_flight, connection.state.tasks) == (0, set())
    assert not connection.transport.ended


@run
async def test_a_request_in_pieces_is_answered_when_its_last_byte_is_there():
    """It may be cut anywhere."""
    whole = request()
    for cut in range(1, len(whole)):
        endpoint = Endpoint()
        connection = Connection(endpoint)
        connection.send(whole[:cut])
        assert endpoint.threads == []
        connection.send(whole[cut:])
        assert await connection.answers(1) == [200]
        assert connection.transport.sent.endswith(BODY)


@run
async def test_pipelined_requests_are_answered_in_their_order():
    """Whichever way each takes, and wherever they were cut."""
    whole = (
        request(b"1")
        + request(b"2", "Content-Encoding: identity")
        + request(b"3")
        + request(line="GET /liveness HTTP/1.1")
    )
    for cut in (1, len(whole) // 3, len(whole) // 2, len(whole)):
        connection = Connection(Endpoint())
        connection.send(whole[:cut], whole[cut:])
        assert await connection.answers(4) == [200] * 4
        bodies = [
            part.partition(b"\r\n\r\n")[2]
            for part in connection.transport.sent.split(b"HTTP/1.1 ")[1:]
        ]
        assert bodies == [b"1", b"2", b"3", b"alive"]


@run
async def test_answers_to_requests_that_came_together_are_sent_together():
    """One by one, each would wake its client before the next one is begun."""
    connections = [Connection(Endpoint()) for _ in range(3)]
    for connection in connections:
        connection.send(request())
        assert not connection.transport.sent
    await asyncio.sleep(0)
    assert all(connection.transport.sent.endswith(BODY) for connection in connections)


@run
async def test_no_answer_is_lost_or_overtaken_when_the_connection_ends_at_once():
    """Whoever ends it, and whatever is answered behind it."""
    for end in (
        lambda connection: connection.protocol.eof_received(),
        lambda connection: connection.protocol.shutdown(),
        lambda connection: connection.later(KEEP_ALIVE_S + 1),
        lambda connection: connection.send(b"nonsense\r\n\r\n"),
        lambda connection: connection.send(request(b"2", "Connection: close")),
        lambda connection: connection.send(
            request(b"2", "Connection: close", "Content-Encoding: identity")
        ),
    ):
        connection = Connection(Endpoint())
        connection.send(request())
        end(connection)
        await connection.answers(1)
        assert connection.transport.sent.partition(b"\r\n\r\n")[2].startswith(BODY)


@run
async def test_a_body_that_does_not_come_is_told():
    """The answer is 408 after SCORING_BODY_TIMEOUT_MS, in the express lane too."""
    connection = Connection(Endpoint(body_timeout_s=0.01))
    connection.send(request()[:-1])
    connection.later(1)
    assert await connection.answers(1) == [408]


@run
async def test_a_body_that_comes_late_is_answered_once():
    """No part of it is lost or read twice."""
    connection = Connection(Endpoint())
    connection.send(request()[:-2])
    connection.later(1)
    connection.send(request()[-2:-1])
    await asyncio.sleep(0)
    connection.send(request()[-1:])
    assert await connection.answers(1) == [200]
    assert connection.transport.sent.endswith(BODY)


@run
async def test_what_must_wait_after_all_is_answered_by_a_thread():
    """Its whole body is kept, and it is not tried twice."""
    endpoint = Endpoint(must_wait=True)
    connection = Connection(endpoint)
    connection.send(request())
    assert await connection.answers(1) == [200]
    assert connection.transport.sent.endswith(BODY)
    assert endpoint.threads == ["MainThread", "request"]


@pytest.mark.parametrize(
    ("sent", "thread"),
    [
        (request(b"x" * MAX_INLINE_BODY_BYTES), "MainThread"),
        (request(b"x" * (MAX_INLINE_BODY_BYTES + 1)), "request"),
        (request(BODY, "Content-Encoding: gzip"), "request"),
        (request(BODY, "x-request-id: " + "i" * 101), "MainThread"),
    ],
    ids=["small", "large", "gzip", "unusual"],
)
def test_only_small_plain_requests_are_answered_on_the_event_loop(sent: bytes, thread: str):
    """Others would make a probe wait."""

    @run
    async def test() -> None:
        endpoint = Endpoint()
        connection = Connection(endpoint)
        connection.send(sent)
        assert await connection.answers(1) == [200]
        assert endpoint.threads == [thread]

    test()


@run
async def test_a_request_that_a_thread_answers_is_judged_once_before_its_body_is_read():
    """At the end of its head, by the deadline that its headers ask for."""
    endpoint = Endpoint(quick=False)
    connection = Connection(endpoint)
    sent = request(BODY, "x-request-timeout-ms: 5000")
    connection.send(sent[:-1], sent[-1:])
    assert await connection.answers(1) == [200]
    assert endpoint.judged == 1
    assert endpoint.due_at == pytest.approx(endpoint.began + 5)


@run
async def test_headers_sent_twice_are_joined_and_disguised_ones_left_out():
    """Every way through the worker reads headers the same."""
    endpoint = Endpoint()
    Connection(endpoint).send(
        request(BODY, "x-request-id: a", "X-Request-Id: b", "x_ms_client_request_id: spoof")
    )
    assert endpoint.environ["HTTP_X_REQUEST_ID"] == "a,b"
    assert "HTTP_X_MS_CLIENT_REQUEST_ID" not in endpoint.environ


@run
async def test_a_client_that_breaks_off_in_its_body_is_nobodys_to_wait_for():
    """The connection may be looked at once more before its end is told."""
    connection = Connection(Endpoint())
    connection.send(request()[:-1])
    connection.transport.close()
    connection.later(1)
    connection.protocol.connection_lost(ConnectionResetError())
    assert await connection.answers(0) == []


@run
async def test_with_an_access_log_each_request_takes_the_way_that_writes_it():
    """The express lane writes no access log."""
    endpoint = Endpoint()
    log = logging.handlers.BufferingHandler(10)
    logging.getLogger("uvicorn.access").setLevel(logging.INFO)
    connection = Connection(endpoint, access_log=[log])
    connection.send(request())
    assert await connection.answers(1) == [200]
    assert [record.getMessage() for record in log.buffer] == [
        '10.0.0.2:4711 - "POST /score HTTP/1.1" 200'
    ]


@run
async def test_requests_by_either_way_count_for_gunicorns_max_requests():
    """gunicorn may replace a worker after so many."""
    connection = Connection(Endpoint())
    connection.send(request(), request(line="GET /liveness HTTP/1.1"))
    await connection.answers(2)
    assert connection.state.total_requests == 2
