"""HTTP/1.1 on one connection of our worker, whichever way its requests take: what is read and
answered."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from azureml_scoring.errors import Overloaded
from fake_connection import BODY, Connection, request, run
from fake_endpoint import PATIENCE, Endpoint

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]]


@run
async def test_a_chunked_body_is_joined():
    """Its trailers are left out."""
    connection = Connection(Endpoint())
    connection.send(
        request(b"2\r\nab\r\n1\r\nc\r\n0\r\nX-Trailer: x\r\n\r\n", "Transfer-Encoding: chunked")
    )
    assert await connection.answers(1) == [200]
    assert connection.transport.sent.endswith(b"\r\n\r\nabc")


@run
async def test_a_client_that_asks_first_is_told_to_go_on():
    """The server answers Expect: 100-continue."""
    connection = Connection(Endpoint())
    head, _, body = request(BODY, "Expect: 100-continue").partition(b"\r\n\r\n")
    connection.send(head + b"\r\n\r\n")
    await connection_says(connection, b"HTTP/1.1 100 Continue\r\n\r\n")
    connection.send(body)
    assert await connection.answers(2) == [100, 200]


async def connection_says(connection: Connection, sent: bytes) -> None:
    async with asyncio.timeout(PATIENCE):
        while not connection.transport.sent.startswith(sent):
            await asyncio.sleep(0.001)


@run
async def test_clients_that_would_rather_speak_http_2_are_answered_in_1_1():
    """Java's offer it with every first request; their body is not taken for a second request."""
    offer = (
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABkAAQAAP__",
    )
    for endpoint in (Endpoint(), Endpoint(quick=False)):
        connection = Connection(endpoint)
        connection.send(request(BODY, *offer) + request(b"2"))
        assert await connection.answers(2) == [200, 200]
        assert connection.transport.sent.count(BODY) == 1
        assert connection.transport.sent.endswith(b"2")


@run
async def test_http_1_0_is_spoken_without_a_host_and_kept_alive_where_it_asks():
    """`ab -k` waits for ever unless it is told that its connection is kept."""
    for endpoint in (Endpoint(), Endpoint(quick=False)):
        connection = Connection(endpoint)
        old = request(BODY, "Connection: keep-alive", line="POST /score HTTP/1.0")
        connection.send(old)
        assert await connection.answers(1) == [200]
        assert connection.transport.sent.count(b"connection: keep-alive\r\n") == 1
        connection.send(old)
        assert await connection.answers(2) == [200, 200]
        assert not connection.transport.ended
    connection = Connection(Endpoint())
    connection.send(b"GET /liveness HTTP/1.0\r\n\r\n")
    assert await connection.answers(1) == [200]
    assert connection.transport.ended


@run
async def test_an_offer_of_another_protocol_is_passed_over_on_a_connection_that_is_not_kept_alive():
    """It is answered in HTTP/1.1, and then the connection ends."""
    for sent in (
        request(BODY, "Connection: upgrade, close", "Upgrade: h2c"),
        request(BODY, "Connection: upgrade", "Upgrade: h2c", line="POST /score HTTP/1.0"),
        b"GET /liveness HTTP/1.1\r\nHost: h\r\nConnection: upgrade, close\r\nUpgrade: "
        b"websocket\r\n\r\n",
    ):
        connection = Connection(Endpoint())
        connection.send(sent)
        assert await connection.answers(1) == [200]
        assert connection.transport.ended


@run
async def test_many_offers_of_another_protocol_in_one_piece_are_answered():
    """3,000 of them are more than Python's stack holds."""
    connection = Connection(Endpoint())
    connection.send(request(b"1", "Connection: Upgrade", "Upgrade: h2c") * 3000)
    assert await connection.answers(3000) == [200] * 3000


@run
async def test_a_trailer_may_say_that_the_request_is_the_last():
    """It is answered, what follows is not, and the connection ends."""
    trailer = b"1\r\na\r\n0\r\nConnection: close\r\n\r\n"
    for line, status in (("POST /score HTTP/1.1", 200), ("POST /other HTTP/1.1", 404)):
        connection = Connection(Endpoint())
        sent = request(trailer, "Transfer-Encoding: chunked", line=line)
        connection.send(sent[: -len(trailer)])
        if status == 404:
            assert await connection.answers(1) == [status]
        connection.send(trailer, request())
        assert await connection.answers(1) == [status]
        assert connection.transport.ended


@run
async def test_what_is_malformed_behind_a_request_does_not_disturb_its_answer():
    """The answer arrives whole, and is the last one."""
    endpoint = Endpoint(quick=False)
    endpoint.hold_back.clear()
    connection = Connection(endpoint)
    connection.send(request(), b"nonsense\r\n\r\n", b"more")
    endpoint.hold_back.set()
    assert await connection.answers(1) == [200]
    assert connection.transport.sent.endswith(BODY)
    assert connection.transport.ended


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize(
    ("sent", "rest"),
    [
        (request()[:-1], None),
        (request(b"2\r\nab\r\n", "Transfer-Encoding: chunked"), None),
        (request(b"2\r\nab\r\n", "Transfer-Encoding: chunked"), b"zz\r\n"),
    ],
    ids=["cut", "cut between chunks", "no size"],
)
def test_a_body_that_breaks_off_is_not_taken_for_a_whole_one(
    quick: bool, sent: bytes, rest: bytes | None
):
    """The client reads the error, and the connection ends."""

    @run
    async def test() -> None:
        connection = Connection(Endpoint(quick=quick))
        connection.send(sent)
        if rest is None:
            assert connection.protocol.eof_received() is True
        else:
            connection.send(rest)
        assert await connection.answers(1) == [400]
        assert connection.transport.sent.endswith(b"incomplete_body")
        assert connection.transport.ended

    test()


@run
async def test_a_client_that_does_not_read_is_not_written_to_for_ever():
    """Its next answers wait until it reads."""
    connection = Connection(Endpoint())
    connection.protocol.pause_writing()
    connection.send(request(b"1"), request(b"2"))
    await asyncio.sleep(0.01)
    assert connection.transport.sent == b""
    connection.protocol.resume_writing()
    assert await connection.answers(2) == [200, 200]


@run
async def test_a_body_that_nobody_reads_does_not_disturb_the_next_request():
    """It is skipped if Flask answers without reading it."""
    connection = Connection(Endpoint())
    head, _, body = request(b"x" * 1000, line="POST /other HTTP/1.1").partition(b"\r\n\r\n")
    connection.send(head + b"\r\n\r\n")
    assert await connection.answers(1) == [404]
    connection.send(body, request())
    assert await connection.answers(2) == [404, 200]


@pytest.mark.parametrize("quick", [True, False])
@run
async def test_the_clock_of_a_request_starts_with_its_first_byte(quick: bool):
    """Whichever way it takes, and however slowly it arrives."""
    endpoint = Endpoint(quick=quick, must_wait=True)
    connection = Connection(endpoint)
    sent, before = request(), asyncio.get_running_loop().time()
    connection.send(sent[:9])
    begun = time.monotonic()
    await asyncio.sleep(0.05)
    connection.send(sent[9:-1])
    await asyncio.sleep(0.05)
    connection.send(sent[-1:])
    assert await connection.answers(1) == [200]
    assert before <= endpoint.began <= begun


@run
async def test_a_request_that_is_refused_is_judged_once_however_large_its_body():
    """The offered load counts it once. The connection stays."""

    class Full(Endpoint):
        judged = 0

        def turn_away(self, due: float) -> Overloaded:
            self.judged += 1
            return Overloaded("full")

    endpoint = Full(quick=False)
    connection = Connection(endpoint)
    for count, body in enumerate((b"x", b"x" * 70_000, b"x"), start=1):
        connection.send(request(body))
        assert await connection.answers(count) == [503] * count
        assert endpoint.judged == count
