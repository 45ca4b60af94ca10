import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from mlops.load import http_client
from mlops.load.http_client import HttpClient

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-One: 1\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
CLOSING = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class FakeServer:
    """Answers each request with the next of ``answers``; None: not at all; b"": by closing.
    ``connections``: how many were opened. ``received``: the requests' bytes."""

    def __init__(self, answers: list[bytes | None]) -> None:
        self._answers = iter(answers)
        self.connections = 0
        self.received: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while data := await reader.read(65536):
                self.received.append(data)
                answer = next(self._answers)
                if answer == b"":
                    break
                if answer:
                    writer.write(answer)
        finally:
            writer.close()


def asking(
    answers: list[bytes | None], ask: Callable[[HttpClient], Coroutine[Any, Any, None]]
) -> FakeServer:
    """Run ``ask`` with a client of a server that gives ``answers``."""
    fake = FakeServer(answers)

    async def main() -> None:
        async with await asyncio.start_server(fake.serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            client = HttpClient(f"http://127.0.0.1:{port}/score?x=1", {"X-Key": "k"})
            await ask(client)
            client.close()

    asyncio.run(main())
    return fake


def test_a_connection_is_kept_for_the_next_request():
    """Headers and body arrive whole; the answer may be chunked."""

    async def ask(client: HttpClient) -> None:
        first, second = await client.post(b"{}", 5), await client.post(b"[]", 5)
        assert (first.status, first.headers["x-one"], second.status) == (200, "1", 200)

    fake = asking([OK, CHUNKED], ask)
    assert fake.connections == 1
    assert fake.received[0].startswith(b"POST /score?x=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert fake.received[0].endswith(b"X-Key: k\r\nContent-Length: 2\r\n\r\n{}")


def test_a_connection_that_the_server_closes_is_not_used_again():
    """The next request opens another."""

    async def ask(client: HttpClient) -> None:
        assert [(await client.post(b"{}", 5)).status for _ in range(2)] == [503, 200]

    assert asking([CLOSING, OK], ask).connections == 2


def test_a_client_that_gives_up_closes_its_connection():
    """The late answer is nobody else's."""

    async def ask(client: HttpClient) -> None:
        with pytest.raises(TimeoutError):
            await client.post(b"{}", 1)
        assert (await client.post(b"{}", 5)).status == 200

    assert asking([None, OK], ask).connections == 2


@pytest.mark.parametrize("answer", [b"", b"no HTTP\r\n\r\n"])
def test_no_answer_is_an_error(answer: bytes):
    """The server closed the connection, or does not speak HTTP."""

    async def ask(client: HttpClient) -> None:
        with pytest.raises(ConnectionError):
            await client.post(b"{}", 5)

    asking([answer], ask)


def test_a_connection_that_was_idle_for_long_is_not_used(monkeypatch: pytest.MonkeyPatch):
    """A server may close it at that moment."""
    monkeypatch.setattr(http_client, "IDLE_S", 0)

    async def ask(client: HttpClient) -> None:
        for _ in range(2):
            await client.post(b"{}", 5)

    assert asking([OK, OK], ask).connections == 2
