"""A request's head is bounded and checked before its body is read."""

import pytest

from azureml_scoring.http.head import MAX_HEAD_BYTES, MAX_HEADERS, MAX_LINE_BYTES
from fake_connection import BODY, Connection, request, run
from fake_endpoint import Endpoint


@pytest.mark.parametrize(
    "head",
    [
        b"nonsense\r\n\r\n",
        b"POST /score HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /score HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: "
        b"chunked\r\n\r\n",
        b"POST /score HTTP/1.1\r\nHost: h\r\nA: b\r\n c: d\r\n\r\n",
        b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /liveness\r\n\r\n",
        b"GET /liveness HTTP/2.0\r\nHost: h\r\n\r\n",
        b"GET /liveness HTTP/1.1\r\n\r\n",
        b"GET /liveness HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n",
        b"POST /score HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        request(BODY, "Host: other"),
        request().replace(b"Content-Length: ", b"Content-Length: " + b"0" * 5000),
        request().replace(b"Content-Length: ", b"Content-Length: " + b"0" * 25),
    ],
    ids=[
        "nonsense",
        "two lengths",
        "length and chunks",
        "folded",
        "CONNECT",
        "HTTP/0.9",
        "HTTP/2.0",
        "no host",
        "two hosts",
        "no host, express",
        "two hosts, express",
        "5,000 zeros",
        "25 zeros",
    ],
)
def test_a_head_that_can_not_be_taken_is_refused(head: bytes):
    """The answer is 400 in JSON, and the connection ends: what follows could be anything."""

    @run
    async def test() -> None:
        for pieces in ([head], [head[i : i + 1] for i in range(len(head))]):
            connection = Connection(Endpoint())
            connection.send(*pieces, request())
            assert await connection.answers(1) == [400]
            assert connection.transport.ended
            assert connection.transport.sent.count(b"malformed_head") == 1

    test()


def header_of(size: int) -> bytes:
    return b"GET /liveness HTTP/1.1\r\nHost: h\r\nX: " + b"x" * (size - 1) + b"\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        header_of(MAX_LINE_BYTES + 1),
        header_of(MAX_HEAD_BYTES),
        b"GET /" + b"x" * MAX_LINE_BYTES + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /" + b"x" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        request(BODY, "X: " + "x" * MAX_LINE_BYTES),
        request(BODY, *["X: y"] * MAX_HEADERS),
        request(BODY, *["X: " + "y" * 8000] * 9),
        request(BODY, "Content-Type: application/json;" + ";" * 64_000),
    ],
    ids=[
        "long header",
        "giant header",
        "long line",
        "giant line",
        "express",
        "many",
        "much together",
        "64 KB",
    ],
)
def test_a_head_that_is_too_large_is_told(head: bytes):
    """The answer is 431, however the head arrives and whatever came before it."""

    @run
    async def test() -> None:
        for pieces in (
            [head],
            [head[i : i + 1000] for i in range(0, len(head), 1000)],
            [request() + head],
        ):
            connection = Connection(Endpoint())
            connection.send(*pieces)
            expected = [200] * (pieces[0] != head and len(pieces) == 1) + [431]
            assert await connection.answers(len(expected)) == expected
            assert b"head_too_large" in connection.transport.sent
            assert connection.transport.ended

    test()


@run
async def test_a_head_at_the_limits_is_taken():
    """A header of 8 KiB, or a hundred small ones."""
    for head in (header_of(MAX_LINE_BYTES), request(BODY, *["X: y"] * (MAX_HEADERS - 3))):
        connection = Connection(Endpoint())
        connection.send(head)
        assert await connection.answers(1) == [200]
        assert not connection.transport.ended


@run
async def test_a_head_is_bounded_whatever_it_grows_in():
    """The line, a header's name and trailers are bounded; nothing of them is kept."""
    chunked = request(b"1\r\na\r\n0\r\n", "Transfer-Encoding: chunked")
    for start, status in ((b"GET /", 431), (b"GET / HTTP/1.1\r\nX", 431), (chunked + b"X: ", 400)):
        connection = Connection(Endpoint())
        connection.send(start)
        for _ in range(MAX_HEAD_BYTES // 1000 + 1):
            assert connection.statuses == []
            connection.send(b"x" * 1000)
        assert await connection.answers(1) == [status]
        assert connection.transport.ended
