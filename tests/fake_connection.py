"""One connection of our worker, with a fake transport."""

import asyncio
import functools
import logging.handlers
import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from uvicorn.config import Config

from azureml_scoring.http.asgi import Front
from azureml_scoring.http.connections import Connections
from azureml_scoring.http.front_protocol import FrontProtocol
from fake_endpoint import PATIENCE, Endpoint

KEEP_ALIVE_S = 75
BODY = b'{"data": [[1]]}'


class Transport(asyncio.Transport):
    """Records what a client was sent. ``ended``: no more will be; ``unsent``: bytes that it has not
    taken yet."""

    def __init__(self) -> None:
        super().__init__({"sockname": ("10.0.0.1", 5001), "peername": ("10.0.0.2", 4711)})
        self.sent, self.writes = b"", 0
        self.closed = self.aborted = self.ended = False
        self.reading = True
        self.unsent = 0

    def write(self, data: Any) -> None:
        assert not self.ended, "nothing may be written behind the last answer"
        self.sent += data
        self.writes += 1

    def close(self) -> None:
        self.closed = self.ended = True

    def abort(self) -> None:
        self.closed = self.ended = self.aborted = True

    def write_eof(self) -> None:
        self.ended = True

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


def flask(environ: Any, start_response: Any) -> list[bytes]:
    start_response("404 Not Found", [("Content-Length", "5")])
    return [b"flask"]


class Connection:
    """A connection that a client has just opened."""

    def __init__(
        self,
        endpoint: Endpoint,
        access_log: Sequence[logging.Handler] = (),
        state: Connections | None = None,
    ) -> None:
        config = Config(
            Front(flask, endpoint),  # type: ignore[arg-type]
            http=FrontProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            proxy_headers=False,
            server_header=False,
            log_config=None,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        config.load()
        logger = logging.getLogger("uvicorn.access")
        logger.handlers, logger.propagate = list(access_log), False
        self.state = state or Connections()
        self.state.default_headers = [(b"date", b"today")]
        self.protocol = FrontProtocol(config, self.state, {})
        self.transport = Transport()
        self.protocol.connection_made(self.transport)

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.protocol.data_received(piece)

    @property
    def statuses(self) -> list[int]:
        return [
            int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) [A-Z]", self.transport.sent)
        ]

    async def answers(self, count: int, *, others_done: bool = True) -> list[int]:
        """Return the statuses, once there are so many and all work is done, also that of other
        connections."""
        async with asyncio.timeout(PATIENCE):
            while len(self.statuses) < count or (others_done and self.state.tasks):
                await asyncio.sleep(0.001)
        return self.statuses

    def later(self, seconds: float) -> None:
        self.protocol.look(asyncio.get_running_loop().time() + seconds)


def request(body: bytes = BODY, *headers: str, line: str = "POST /score HTTP/1.1") -> bytes:
    length = (
        []
        if any(header.startswith("Transfer-Encoding") for header in headers)
        else [f"Content-Length: {len(body)}"]
    )
    return (
        "\r\n".join(
            [line, "Host: h", "Content-Type: application/json", *length, *headers, "", ""]
        ).encode()
        + body
    )


def busy_connection(most: int = 100) -> tuple[Connection, Endpoint]:
    """A connection whose answer is due, and comes once the endpoint no longer holds it back."""
    endpoint = Endpoint(quick=False)
    endpoint.hold_back.clear()
    connection = Connection(endpoint, state=Connections(most))
    connection.send(request())
    return connection, endpoint


def run(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run the test on an event loop."""

    @functools.wraps(test)
    def on_a_loop(**arguments: Any) -> None:
        asyncio.run(test(**arguments))

    return on_a_loop
