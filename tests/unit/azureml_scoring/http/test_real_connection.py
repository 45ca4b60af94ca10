"""What a client sees over a real socket, and whether it is known to have hung up."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvloop
from uvicorn.config import Config

from azureml_scoring.http.asgi import Front
from azureml_scoring.http.connections import Connections
from azureml_scoring.http.front_protocol import FrontProtocol
from azureml_scoring.http.wanted import GONE, INTERIM
from fake_connection import BODY, Connection, flask, request, run
from fake_endpoint import PATIENCE, Endpoint

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]]


def over_a_socket(endpoint: Endpoint, sent: bytes, *, says_all: bool) -> bytes:
    """Return what a client of a real server reads until its connection ends."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(sent)
        if says_all:
            writer.write_eof()
        return await reader.read()

    return on_a_server(endpoint, talk)


def on_a_server(endpoint: Endpoint, talk: Talk) -> bytes:
    """Return what ``talk`` returns, with the streams of a client of a real server."""
    front = Front(flask, endpoint)  # type: ignore[arg-type]
    config = Config(
        front, http=FrontProtocol, ws="none", lifespan="off", interface="asgi3", log_config=None
    )
    config.proxy_headers = False
    config.load()

    async def connect() -> bytes:
        loop, state = asyncio.get_running_loop(), Connections()
        async with await loop.create_server(
            lambda: FrontProtocol(config, state, {}), "127.0.0.1", 0
        ) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            async with asyncio.timeout(PATIENCE):
                read = await talk(reader, writer)
            writer.close()
            return read

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(connect())


@pytest.mark.parametrize("quick", [True, False])
def test_a_real_connection_carries_many_requests_until_the_last(quick: bool):
    """Answers keep their order and are complete."""
    bodies = [b"%d" % number * 500 for number in range(100)]
    sent = b"".join(map(request, bodies)) + request(b"last", "Connection: close")
    read = over_a_socket(Endpoint(quick=quick), sent, says_all=False)
    assert [part.partition(b"\r\n\r\n")[2] for part in read.split(b"HTTP/1.1 ")[1:]] == [
        *bodies,
        b"last",
    ]


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize(
    ("sent", "status"), [(request(), 200), (request()[:-1], 400)], ids=["whole", "cut"]
)
def test_a_real_client_reads_its_answer_after_it_has_said_all(
    quick: bool, sent: bytes, status: int
):
    """Half a connection is enough for that."""
    read = over_a_socket(Endpoint(quick=quick), sent, says_all=True)
    assert read.removeprefix(INTERIM).split(b" ")[1] == b"%d" % status


@pytest.mark.parametrize("closes", [True, False])
def test_a_client_that_closed_its_connection_is_known_while_its_request_waits(closes: bool):
    """One that only sends no more, and reads on, is not taken for gone."""
    endpoint = Endpoint(quick=False)
    endpoint.hold_back.clear()

    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(request())
        while not endpoint.threads:
            await asyncio.sleep(0.001)
        gone = endpoint.environ[GONE]
        assert not gone()
        if closes:
            writer.close()
            while not gone():
                await asyncio.sleep(0.001)
            endpoint.hold_back.set()
            return b""
        writer.write_eof()
        assert await reader.readexactly(len(INTERIM)) == INTERIM
        assert not gone()
        endpoint.hold_back.set()
        return await reader.read()

    read = on_a_server(endpoint, leave)
    assert read.endswith(BODY) != closes


@pytest.mark.parametrize(
    ("sent", "asked"),
    [
        (request(), True),
        (request()[:-1], False),
        (request(line="POST /score HTTP/1.0"), False),
        (request() + request(), False),
        (request(b"2\r\nab\r\nzz\r\n", "Transfer-Encoding: chunked"), False),
    ],
    ids=["whole", "cut", "HTTP/1.0", "pipelined", "malformed"],
)
@run
async def test_only_a_client_whose_whole_request_waits_is_asked(sent: bytes, asked: bool):
    """An interim response between answers, or to HTTP/1.0, would be taken for an answer."""
    endpoint = Endpoint(quick=False)
    endpoint.hold_back.clear()
    connection = Connection(endpoint)
    connection.send(sent)
    connection.protocol.eof_received()
    assert (connection.transport.sent == INTERIM) == asked
    endpoint.hold_back.set()
    await connection.answers(1 + asked)
