"""The client limits the time and the memory that an answer may take."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from azureml_scoring.client import Client, NoAnswer, RequestRefused, ServerBusy, UnusableAnswer
from azureml_scoring.client.answer import MAX_ANSWER_BYTES
from hostile_server import Pieces, answer, bomb, hostile

pytestmark = pytest.mark.slow

ROWS = [[1.0], [2.0], [3.0]]


@pytest.mark.parametrize(
    "pause",
    [
        "\xb2",
        "9" * 5000,
        "-1",
        "soon",
        "Mon, 01 Jan 99999 00:00:00 GMT",
        f"Mon, {'9' * 20} Jan 2026",
        "0x10",
        "1e3",
        "",
    ],
)
def test_an_invalid_pause_does_no_harm(pause: str):
    """An invalid Retry-After counts as missing or too long; the error says the server is busy."""
    busy = answer(b"", f"Retry-After: {pause}", status="503 Busy")
    with (
        hostile(lambda _: [busy]) as url,
        Client(url, attempts=1) as client,
        pytest.raises(ServerBusy, match="it is busy; try again later"),
    ):
        client.score(ROWS)


def drip(head: bytes) -> Pieces:
    yield head
    until = time.monotonic() + 60
    while time.monotonic() < until:
        time.sleep(0.05)
        yield b" "


DRIPS = {
    "a body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
    "a head": b"HTTP/1.1 200 OK\r\nX: ",
    "an error": b"HTTP/1.1 400 Bad\r\nContent-Length: 1000000\r\n\r\n",
}


@pytest.mark.parametrize("head", DRIPS.values(), ids=DRIPS)
def test_an_answer_without_an_end_has_a_deadline(head: bytes):
    """The deadline covers the whole answer, so single bytes can't keep a client waiting."""
    with (
        hostile(lambda _: drip(head)) as url,
        Client(url, timeout_s=1) as client,
        pytest.raises(NoAnswer, match="has not answered within 1 s"),
    ):
        client.score(ROWS)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        ("200 OK", UnusableAnswer, "more than 32 MiB"),
        ("400 Bad Request", RequestRefused, "gives no reason"),
    ],
)
def test_an_answer_may_not_take_all_memory(
    packed: bool, status: str, error: type[Exception], words: str
):
    """2 GiB, plain or packed into 2 MiB, take at most a few times the limit in memory."""

    def reply(_: int) -> Pieces:
        if packed:
            yield answer(bomb(2048), "Content-Encoding: gzip", status=status)
        else:
            yield f"HTTP/1.1 {status}\r\nContent-Length: {2**31}\r\n\r\n".encode()
            for _ in range(2048):
                yield b"[" * 2**20

    with hostile(reply) as url, Client(url) as client:
        tracemalloc.start()
        try:
            with pytest.raises(error, match=words):
                client.score(ROWS)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 4 * MAX_ANSWER_BYTES
