"""One connection of our worker, with a transport and a lane that are fakes: pieces come as they are
sent."""

import asyncio
import logging.handlers
import re
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from uvicorn.config import Config

from azureml_scoring.body_budget import BodyBudget
from azureml_scoring.errors import ScoringError
from azureml_scoring.http.asgi import Front
from azureml_scoring.http.connections import Connections
from azureml_scoring.http.express_lane import FrontProtocol
from azureml_scoring.http.lean_lane import Response
from azureml_scoring.inputs.payload import Limits
from azureml_scoring.models.joint_predict import JointPredict
from azureml_scoring.request import Answer, MustWait

PATIENCE = 60.0
KEEP_ALIVE = 75
BODY = b'{"data": [[1]]}'


class Transport(asyncio.Transport):
    """What a client has been sent. ``ended``: no more will be; ``unsent``: bytes that it has not
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


class Place:
    def __init__(self, lane: "Lane") -> None:
        self.lane = lane

    def __enter__(self) -> float:
        self.lane.in_flight += 1
        return 1.0

    def __exit__(self, *_: object) -> None:
        self.lane.in_flight -= 1


class Lane:
    """Answers with what it was given as the body. ``threads``: where it did or tried to;
    ``environ``: the last one."""

    def __init__(self, *, quick: bool = True, must_wait: bool = False) -> None:
        self.in_flight = 0
        self.threads: list[str] = []
        self.must_wait, self.at_once = must_wait, False
        self.hold = threading.Event()
        self.hold.set()
        place = Place(self)
        admission = SimpleNamespace(admit=lambda: place, at_once=lambda requests: place, due=1.0)
        self.service = SimpleNamespace(quick=quick, admission=admission, steps=self.steps)
        self.reader = SimpleNamespace(
            received=self.received,
            refused=lambda environ, error: error,
            hold=BodyBudget(10**6, patience=0).hold,
        )

    def received(
        self, environ: Any, body: Any, due: float, *, at_once: bool = False, held: Any = None
    ) -> Any:
        self.environ, self.at_once = environ, at_once
        return body

    def scores(self, environ: Any) -> bool:
        return environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"] == "/score"

    def page(self, environ: Any) -> Response | None:
        return (
            Response(200, [("Content-Length", "5")], b"alive")
            if environ["PATH_INFO"] == "/liveness"
            else None
        )

    def score(self, request: bytes | ScoringError, started: float) -> Response:
        assert self.in_flight == 1 or isinstance(request, ScoringError)
        self.try_to_answer()
        assert self.hold.wait(PATIENCE)
        body = request.code.encode() if isinstance(request, ScoringError) else request
        status = int(request.status) if isinstance(request, ScoringError) else 200
        return Response(status, [("Content-Length", str(len(body)))], body)

    def steps(self, request: bytes, due: float, joint: JointPredict) -> Iterator[Answer | None]:
        self.try_to_answer()
        yield None
        assert self.in_flight == 1
        yield None
        yield Answer(200, request)

    def written(self, request: bytes, started: float, lines: str, answer: Answer) -> bytes:
        assert answer.body == request
        return (
            f"HTTP/1.1 200 OK\r\n{lines}Content-Length: {len(request)}\r\n\r\n".encode() + request
        )

    def try_to_answer(self) -> None:
        self.threads.append(threading.current_thread().name.split("_")[0])
        if self.at_once and self.must_wait:
            raise MustWait


def flask(environ: Any, start_response: Any) -> list[bytes]:
    start_response("404 Not Found", [("Content-Length", "5")])
    return [b"flask"]


class Connection:
    """One that a client has just opened."""

    def __init__(
        self,
        lane: Lane,
        body_timeout: float = PATIENCE,
        access_log: Sequence[logging.Handler] = (),
        state: Connections | None = None,
    ) -> None:
        config = Config(
            Front(flask, lane, Limits(max_bytes=100_000), body_timeout),  # type: ignore[arg-type]
            http=FrontProtocol, ws="none", lifespan="off", interface="asgi3", proxy_headers=False, server_header=False,
            log_config=None, timeout_keep_alive=KEEP_ALIVE,
        )  # fmt: skip
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
        """The statuses, once there are so many and all work is done, that of other connections
        included."""
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


def busy_connection(most: int = 100) -> tuple[Connection, Lane]:
    """Its answer is due, and comes once the lane no longer holds it."""
    lane = Lane(quick=False)
    lane.hold.clear()
    connection = Connection(lane, state=Connections(most))
    connection.send(request())
    return connection, lane


def run(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """On an event loop."""

    def on_a_loop() -> None:
        asyncio.run(test())  # type: ignore[arg-type]

    on_a_loop.__name__, on_a_loop.__doc__ = test.__name__, test.__doc__
    return on_a_loop
