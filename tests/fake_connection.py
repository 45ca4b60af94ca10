"""One connection of our worker, with a fake transport and a fake endpoint."""

import asyncio
import functools
import logging.handlers
import re
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from uvicorn.config import Config

from azureml_scoring.admission.wait_limit import WaitLimit
from azureml_scoring.body_budget import BodyBudget
from azureml_scoring.errors import ScoringError
from azureml_scoring.http.asgi import Front
from azureml_scoring.http.backlog import Backlog
from azureml_scoring.http.body_reader import BodyReader
from azureml_scoring.http.connections import Connections
from azureml_scoring.http.front_protocol import FrontProtocol
from azureml_scoring.http.response import Response
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.models.joint_predict import JointPredict
from azureml_scoring.request import Answer, MustWait

PATIENCE = 60.0
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


class Place:
    def __init__(self, endpoint: "Endpoint") -> None:
        self.endpoint = endpoint

    def __enter__(self) -> float:
        self.endpoint.in_flight += 1
        return 1.0

    def __exit__(self, *_: object) -> None:
        self.endpoint.in_flight -= 1


class Endpoint:
    """Answers with what it was given as the body. ``threads``: where it did or tried to;
    ``environ``: the last one."""

    def __init__(
        self,
        *,
        quick: bool = True,
        must_wait: bool = False,
        body_timeout_s: float = PATIENCE,
        budget_bytes: int = 10**6,
    ) -> None:
        self.in_flight = self.judged = 0
        self.quick = quick
        self.threads: list[str] = []
        self.must_wait = must_wait
        self.hold_back = threading.Event()
        self.hold_back.set()
        self.budget = BodyBudget(budget_bytes)
        reader = BodyReader(Limits(max_bytes=100_000), self.budget)
        self.hold, self.body_buffer = reader.hold, reader.buffer
        self.body_timeout_s = body_timeout_s
        self.backlog = Backlog(lambda: WaitLimit(PATIENCE))

    def due(self, started: float, wanted_for: float | None) -> float:
        self.began = started
        return started + (PATIENCE if wanted_for is None else wanted_for)

    def turn_away(self, due: float) -> ScoringError | None:
        self.judged += 1
        return None

    def refusal(self, due: float) -> ScoringError | None:
        return self.turn_away(due)

    def admit(self, due: float) -> Place:
        self.due_at = due
        return Place(self)

    def at_once(self, requests: int, began: float = 0.0) -> Place:
        return Place(self)

    def scores(self, environ: Any) -> bool:
        return environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"] == "/score"

    def page(self, environ: Any) -> Response | None:
        return (
            Response(200, [("Content-Length", "5")], b"alive")
            if environ["PATH_INFO"] == "/liveness"
            else None
        )

    def score(
        self,
        environ: Any,
        body: bytes | ScoringError,
        due: float,
        started: float,
        *,
        held: Any = None,
        may_wait: bool = True,
    ) -> Response:
        assert self.in_flight
        self.try_to_answer(environ, may_wait)
        assert self.hold_back.wait(PATIENCE)
        return _refusal(body) if isinstance(body, ScoringError) else _good(body)

    def refuse(self, environ: Any, error: ScoringError, started: float) -> Response:
        return _refusal(error)

    def begin(self, environ: Any, body: bytes, joint: JointPredict, waited_s: float) -> "Scoring":
        self.try_to_answer(environ, may_wait=False)
        return Scoring(self, body)

    def headers(self, request: bytes, answer: Answer, started: float) -> list[tuple[str, str]]:
        assert answer.body == request
        return _good(request).headers

    def try_to_answer(self, environ: Any, may_wait: bool) -> None:
        self.environ = environ
        self.threads.append(threading.current_thread().name.split("_")[0])
        if self.must_wait and not may_wait:
            raise MustWait


class Scoring:
    """The steps of a request that was read."""

    def __init__(self, endpoint: Endpoint, request: bytes) -> None:
        self.endpoint, self.request = endpoint, request

    def predict(self) -> None:
        assert self.endpoint.in_flight == 1

    def answer(self) -> Answer:
        return Answer(200, self.request)

    def report(self) -> None:
        pass


def _good(body: bytes) -> Response:
    return Response(200, [("Content-Length", str(len(body)))], body)


def _refusal(error: ScoringError) -> Response:
    body = error.code.encode()
    return Response(int(error.status), [("Content-Length", str(len(body)))], body)


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
