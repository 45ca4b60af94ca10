"""No request hides in another one: what a proxy and our worker might read differently is refused,
and both of its readers read the same."""

import asyncio
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from azureml_scoring.http import express_lane
from azureml_scoring.http.wanted import INTERIM
from fake_connection import BODY, Connection, request, run
from fake_endpoint import Endpoint

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n"


def head(*lines: bytes, first: bytes = b"POST /score HTTP/1.1") -> bytes:
    common = (first, b"Host: h", b"Content-Type: application/json")
    return b"\r\n".join([*common, *lines, b"", b""])


CHUNKED = b"Transfer-Encoding: chunked"
SMUGGLING = {
    "length and chunks": head(b"Content-Length: %d" % (len(HIDDEN) + 5), CHUNKED) + b"0\r\n\r\n",
    "chunks and length": head(CHUNKED, b"Content-Length: 6") + b"0\r\n\r\nG",
    "two lengths": head(b"Content-Length: 0", b"Content-Length: %d" % len(HIDDEN)),
    "a list of lengths": head(b"Content-Length: 0, %d" % len(HIDDEN)),
    "a sign": head(b"Content-Length: +0"),
    "a negative length": head(b"Content-Length: -1"),
    "a hexadecimal length": head(b"Content-Length: 0x0"),
    "a length in words": head(b"Content-Length: 0 0"),
    "a space before the colon": head(b"Content-Length : 0"),
    "a tab before the colon": head(b"Transfer-Encoding\t: chunked") + b"0\r\n\r\n",
    "a folded header": head(b"Content-Length: 0", b"X: y", b" Transfer-Encoding: chunked"),
    "an unknown encoding": head(b"Transfer-Encoding: xchunked") + b"0\r\n\r\n",
    "chunked twice": head(CHUNKED, b"Transfer-Encoding: identity") + b"0\r\n\r\n",
    "chunked first": head(b"Transfer-Encoding: chunked, identity") + b"0\r\n\r\n",
    "a chunk's size with a sign": head(CHUNKED) + b"+0\r\n\r\n",
    "a chunk's size as 0x": head(CHUNKED) + b"0x0\r\n\r\n",
    "a chunk that is longer": head(CHUNKED) + b"1\r\nab\r\n0\r\n\r\n",
    "a bare LF behind a chunk's size": head(CHUNKED) + b"0\n\r\n",
    "a NUL in a header": head(b"Content-Length: 0", b"X: a\0b"),
    "a bare CR in a header": head(b"Content-Length: 0", b"X: a\rTransfer-Encoding: chunked"),
    "a line without a colon": head(b"Content-Length: 0", b"Transfer-Encoding"),
    "an empty name": head(b"Content-Length: 0", b": chunked"),
}
"""Bodies and requests of which some servers take HIDDEN, behind them, for another request."""


@pytest.mark.parametrize("name", SMUGGLING)
def test_what_could_be_read_in_two_ways_is_refused(name: str):
    """One answer, an error, and the connection ends: nothing behind it is answered."""

    @run
    async def test() -> None:
        sent = SMUGGLING[name] + HIDDEN
        for pieces in ([sent], [sent[i : i + 1] for i in range(len(sent))]):
            connection = Connection(Endpoint())
            connection.send(*pieces)
            (status,) = await connection.answers(1)
            assert 400 <= status < 500
            assert connection.transport.ended

    test()


FRAMING = st.sampled_from(
    [
        b"Content-Length: 15",
        b"Content-Length: 0",
        b"Content-Length: 15 ",
        b"content-length:15",
        b"Content-Length: 015",
        b"Content-Length: 15, 15",
        CHUNKED,
        b"transfer-encoding: Chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding:\x0bchunked",
        b"Connection: close",
        b"Connection: keep-alive",
        b"Expect: 100-continue",
        b"Upgrade: h2c",
        b"Host: h",
        b"X: " + b"y" * 100,
        b" folded",
        b"X: \x80",
    ]
)
FIRST = st.sampled_from(
    [
        b"POST /score HTTP/1.1",
        b"POST /score HTTP/1.0",
        b"GET /liveness HTTP/1.1",
        b"POST  /score HTTP/1.1",
        b"post /score HTTP/1.1",
        b"POST http://h/score HTTP/1.1",
        b"POST /score HTTP/1.1 ",
    ]
)
BODIES = st.sampled_from(
    [b"", BODY, BODY[:-1], b"f\r\n" + BODY + b"\r\n0\r\n\r\n", b"0\r\n\r\n", b"0\r\nA: b\r\n\r\n"]
)
ONE = st.builds(
    lambda first, lines, body: head(*lines, first=first) + body,
    FIRST,
    st.lists(FRAMING, max_size=4),
    BODIES,
)


@given(st.lists(ONE | st.just(request()), min_size=1, max_size=4), st.data())
@example([request(), head(b"Content-Length: 15") + BODY, HIDDEN], None)
def test_both_readers_read_the_same(requests: list[bytes], data: Any):
    """The express lane and uvicorn's way, in one piece, byte by byte and cut anywhere."""
    sent = b"".join(requests)
    cut = data.draw(st.integers(0, len(sent))) if data else len(sent) // 2
    whole = answered([sent])
    assert answered([sent[:cut], sent[cut:]]) == whole
    assert answered([sent[i : i + 1] for i in range(len(sent))]) == whole
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(express_lane, "is_plain", lambda *_: False)
        assert answered([sent]) == whole


def answered(pieces: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Statuses and bodies that a client gets which has sent all of it. Without interim answers, by
    which the worker may also ask whether it still waits, and without the refusal of what follows
    the last request, which such a client may not get."""

    async def send() -> bytes:
        connection = Connection(Endpoint())
        connection.send(*(piece for piece in pieces if piece))
        connection.protocol.eof_received()
        await connection.answers(0)
        return connection.transport.sent.replace(INTERIM, b"")

    answers, rest = [], asyncio.run(send())
    while rest:
        head, _, rest = rest.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        assert length, head
        answers.append((head[9:12], rest[: int(length[1])]))
        rest = rest[int(length[1]) :]
    return [answer for answer in answers if b"malformed_head" not in answer[1]]
