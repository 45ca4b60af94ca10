"""One connection of our worker, with a transport that is a fake: pieces come as they are sent."""

import asyncio
import logging.handlers
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop
from uvicorn.config import Config
from uvicorn.server import ServerState

import http_connection
from errors import ScoringError
from exchange import Answer, MustWait
from front import SMALL, Front
from front_protocol import FrontProtocol
from http_connection import LONGEST_HEAD
from joint_predict import JointPredict
from lean_lane import Response
from payload import Limits

PATIENCE = 60.0
KEEP_ALIVE = 75
BODY = b'{"data": [[1]]}'


class Transport(asyncio.Transport):
    """What a client has been sent."""

    def __init__(self) -> None:
        super().__init__({"sockname": ("10.0.0.1", 5001), "peername": ("10.0.0.2", 4711)})
        self.sent, self.writes = b"", 0
        self.closed = False
        self.reading = True

    def write(self, data: Any) -> None:
        assert not self.closed, "nothing may be written behind the last answer"
        self.sent += data
        self.writes += 1

    def close(self) -> None:
        self.closed = True

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
    """Answers with what it was given as the body. ``threads``: where it did or tried to; ``environ``: the last one."""

    def __init__(self, *, quick: bool = True, must_wait: bool = False) -> None:
        self.in_flight = 0
        self.threads: list[str] = []
        self.must_wait = must_wait
        self.hold = threading.Event()
        self.hold.set()
        place = Place(self)
        admission = SimpleNamespace(admit=lambda: place, at_once=lambda requests: place, due=1.0)
        self.service = SimpleNamespace(quick=quick, admission=admission, steps=self.steps)
        self.reader = SimpleNamespace(received=self.received, refused=lambda environ, error: error)

    def received(self, environ: Any, body: Any, due: float, *, at_once: bool = False) -> Any:
        self.environ, self.at_once = environ, at_once
        return body

    def scores(self, environ: Any) -> bool:
        return environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"] == "/score"

    def page(self, environ: Any) -> Response | None:
        return Response(200, [("Content-Length", "5")], b"alive") if environ["PATH_INFO"] == "/liveness" else None

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
        return f"HTTP/1.1 200 OK\r\n{lines}Content-Length: {len(request)}\r\n\r\n".encode() + request

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
        state: ServerState | None = None,
    ) -> None:
        config = Config(
            Front(flask, lane, Limits(max_bytes=100_000), body_timeout),  # type: ignore[arg-type]
            http=FrontProtocol, ws="none", lifespan="off", interface="asgi3", proxy_headers=False, server_header=False,
            log_config=None, timeout_keep_alive=KEEP_ALIVE,
        )  # fmt: skip
        config.load()
        logger = logging.getLogger("uvicorn.access")
        logger.handlers, logger.propagate = list(access_log), False
        self.state = state or ServerState()
        self.state.default_headers = [(b"date", b"today")]
        self.protocol = FrontProtocol(config, self.state, {})
        self.transport = Transport()
        self.protocol.connection_made(self.transport)

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.protocol.data_received(piece)

    @property
    def statuses(self) -> list[int]:
        return [int(part.split(b" ", 1)[0]) for part in self.transport.sent.split(b"HTTP/1.1 ")[1:]]

    async def answers(self, count: int) -> list[int]:
        """The statuses, once there are so many and all work is done."""
        async with asyncio.timeout(PATIENCE):
            while len(self.statuses) < count or self.state.tasks:
                await asyncio.sleep(0.001)
        return self.statuses

    def later(self, seconds: float) -> None:
        self.protocol.look(asyncio.get_running_loop().time() + seconds)


def request(body: bytes = BODY, *headers: str, line: str = "POST /score HTTP/1.1") -> bytes:
    length = (
        [] if any(header.startswith("Transfer-Encoding") for header in headers) else [f"Content-Length: {len(body)}"]
    )
    return "\r\n".join([line, "Host: h", "Content-Type: application/json", *length, *headers, "", ""]).encode() + body


def busy_connection() -> tuple[Connection, Lane]:
    """Its answer is due, and comes once the lane no longer holds it."""
    lane = Lane(quick=False)
    lane.hold.clear()
    connection = Connection(lane)
    connection.send(request())
    return connection, lane


def run(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """On an event loop."""

    def on_a_loop() -> None:
        asyncio.run(test())  # type: ignore[arg-type]

    on_a_loop.__name__, on_a_loop.__doc__ = test.__name__, test.__doc__
    return on_a_loop


@run
async def test_a_request_in_one_piece_is_answered_on_the_spot():
    """By no task; and it counts as in flight meanwhile."""
    lane = Lane()
    connection = Connection(lane)
    connection.send(request())
    assert lane.threads == ["MainThread"]
    await asyncio.sleep(0)
    assert connection.transport.sent == b"HTTP/1.1 200 OK\r\ndate: today\r\nContent-Length: 15\r\n\r\n" + BODY
    assert (lane.in_flight, connection.state.tasks) == (0, set())
    assert not connection.transport.closed


@run
async def test_a_request_in_pieces_is_answered_when_its_last_byte_is_there():
    """Wherever it was cut."""
    whole = request()
    for cut in range(1, len(whole)):
        lane = Lane()
        connection = Connection(lane)
        connection.send(whole[:cut])
        assert lane.threads == []
        connection.send(whole[cut:])
        assert await connection.answers(1) == [200]
        assert connection.transport.sent.endswith(BODY)


@run
async def test_pipelined_requests_are_answered_in_their_order():
    """Whichever way each takes, and however they were cut."""
    whole = (
        request(b"1")
        + request(b"2", "Content-Encoding: identity")
        + request(b"3")
        + request(line="GET /liveness HTTP/1.1")
    )
    for cut in (1, len(whole) // 3, len(whole) // 2, len(whole)):
        connection = Connection(Lane())
        connection.send(whole[:cut], whole[cut:])
        assert await connection.answers(4) == [200] * 4
        bodies = [part.partition(b"\r\n\r\n")[2] for part in connection.transport.sent.split(b"HTTP/1.1 ")[1:]]
        assert bodies == [b"1", b"2", b"3", b"alive"]


@run
async def test_answers_to_requests_that_came_together_are_sent_together():
    """Or each would wake its client before the next one is begun."""
    connections = [Connection(Lane()) for _ in range(3)]
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
        lambda connection: connection.later(KEEP_ALIVE + 1),
        lambda connection: connection.send(b"nonsense\r\n\r\n"),
        lambda connection: connection.send(request(b"2", "Connection: close")),
        lambda connection: connection.send(request(b"2", "Connection: close", "Content-Encoding: identity")),
    ):
        connection = Connection(Lane())
        connection.send(request())
        end(connection)
        await connection.answers(1)
        assert connection.transport.sent.partition(b"\r\n\r\n")[2].startswith(BODY)


@run
async def test_after_connection_close_the_answer_is_the_last():
    """What is pipelined behind it is not answered."""
    for sent in (request(BODY, "Connection: close"), request(BODY, "Connection: close", "Content-Encoding: identity")):
        connection = Connection(Lane())
        connection.send(sent + request())
        assert await connection.answers(1) == [200]
        assert b"connection: close\r\n" in connection.transport.sent
        assert connection.transport.closed


@run
async def test_http_1_0_gets_one_answer_a_connection():
    """Its clients wait for the end of the connection."""
    connection = Connection(Lane())
    connection.send(request(line="POST /score HTTP/1.0"))
    assert await connection.answers(1) == [200]
    assert connection.transport.closed


@run
async def test_a_chunked_body_is_joined():
    """Its trailers are left out."""
    connection = Connection(Lane())
    connection.send(request(b"2\r\nab\r\n1\r\nc\r\n0\r\nX-Trailer: x\r\n\r\n", "Transfer-Encoding: chunked"))
    assert await connection.answers(1) == [200]
    assert connection.transport.sent.endswith(b"\r\n\r\nabc")


@run
async def test_a_client_that_asks_first_is_told_to_go_on():
    """Expect: 100-continue."""
    connection = Connection(Lane())
    head, _, body = request(BODY, "Expect: 100-continue").partition(b"\r\n\r\n")
    connection.send(head + b"\r\n\r\n")
    await connection_says(connection, b"HTTP/1.1 100 Continue\r\n\r\n")
    connection.send(body)
    assert await connection.answers(2) == [100, 200]


async def connection_says(connection: Connection, sent: bytes) -> None:
    async with asyncio.timeout(PATIENCE):
        while not connection.transport.sent.startswith(sent):
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    "head",
    [
        b"nonsense\r\n\r\n",
        b"POST /score HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /score HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /score HTTP/1.1\r\nA: b\r\n c: d\r\n\r\n",
        b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /liveness HTTP/1.1\r\nX: " + b"x" * LONGEST_HEAD + b"\r\n\r\n",
        b"GET /" + b"x" * LONGEST_HEAD + b" HTTP/1.1\r\n\r\n",
    ],
    ids=["nonsense", "two lengths", "length and chunks", "folded", "CONNECT", "giant header", "giant line"],
)
def test_a_head_that_can_not_be_taken_is_refused(head: bytes):
    """400, and the connection ends: what follows could be anything. Also byte by byte."""

    @run
    async def test() -> None:
        for pieces in ([head], [head[i : i + 1000] for i in range(0, len(head), 1000)]):
            connection = Connection(Lane())
            for piece in pieces:
                if not connection.transport.closed:
                    connection.send(piece)
            assert (connection.statuses, connection.transport.closed) == ([400], True)

    test()


@run
async def test_a_head_is_bounded_whatever_it_grows_in():
    """Its line, a header's name, or trailers behind a chunked body; nothing is kept of it."""
    chunked = request(b"1\r\na\r\n0\r\n", "Transfer-Encoding: chunked")
    for start in (b"GET /", b"GET / HTTP/1.1\r\nX", chunked + b"X: "):
        connection = Connection(Lane())
        connection.send(start)
        for _ in range(LONGEST_HEAD // 1000 + 1):
            assert connection.statuses == []
            connection.send(b"x" * 1000)
        assert await connection.answers(1) == [400]
        assert connection.transport.closed


@run
async def test_what_is_malformed_behind_a_request_does_not_disturb_its_answer():
    """It comes whole, as the last one."""
    lane = Lane(quick=False)
    lane.hold.clear()
    connection = Connection(lane)
    connection.send(request(), b"nonsense\r\n\r\n", b"more")
    lane.hold.set()
    assert await connection.answers(1) == [200]
    assert connection.transport.sent.endswith(BODY)
    assert connection.transport.closed


@run
async def test_an_idle_connection_is_closed_after_the_keep_alive_time():
    """Counted from its last request, by either way; before its first, from its start."""
    for sent in (b"", request(), request(line="GET /liveness HTTP/1.1")):
        connection = Connection(Lane())
        connection.send(sent)
        await connection.answers(1 if sent else 0)
        connection.later(KEEP_ALIVE - 1)
        assert not connection.transport.closed
        connection.later(KEEP_ALIVE + 1)
        assert connection.transport.closed


@run
async def test_a_head_that_drips_does_not_hold_its_connection():
    """Its bytes do not make it any younger."""
    connection = Connection(Lane())
    connection.send(b"POST /score HTTP/1.1\r\n")
    connection.protocol._since -= KEEP_ALIVE
    connection.send(b"X: y\r\n")
    connection.later(1)
    assert connection.transport.closed


@run
async def test_too_many_connections_end_the_one_that_is_idle_longest():
    """A probe still gets through; one whose answer is due, or not yet sent, gets it first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_connection, "MOST_CONNECTIONS", 3)
        busy, lane = busy_connection()
        old, asked = (Connection(Lane(), state=busy.state) for _ in range(2))
        asked.send(request())
        old.protocol._since -= 1
        new = Connection(Lane(), state=busy.state)
        assert [each.transport.closed for each in (busy, old, asked, new)] == [False, True, False, False]
        old.protocol.connection_lost(None)
        newest = Connection(Lane(), state=busy.state)
        assert [each.transport.closed for each in (busy, asked, new, newest)] == [False, True, False, False]
        assert asked.transport.sent.endswith(BODY)
        lane.hold.set()
        assert await busy.answers(1) == [200]


@run
async def test_a_connection_too_many_ends_where_all_are_busy():
    """None that waits for its answer is given up for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_connection, "MOST_CONNECTIONS", 1)
        busy, lane = busy_connection()
        assert Connection(Lane(), state=busy.state).transport.closed
        lane.hold.set()
        assert await busy.answers(1) == [200]


@run
async def test_a_connection_with_a_request_in_flight_is_not_idle():
    """However long its answer takes."""
    connection, lane = busy_connection()
    connection.later(10 * KEEP_ALIVE)
    assert not connection.transport.closed
    lane.hold.set()
    assert await connection.answers(1) == [200]


@run
async def test_a_body_that_does_not_come_is_told():
    """408, as SCORING_BODY_TIMEOUT_MS has it, though the request was one for the express lane."""
    connection = Connection(Lane(), body_timeout=0.01)
    connection.send(request()[:-1])
    connection.later(1)
    assert await connection.answers(1) == [408]


@run
async def test_a_body_that_comes_late_is_answered_once():
    """Those parts included that came before the connection was looked at."""
    connection = Connection(Lane())
    connection.send(request()[:-2])
    connection.later(1)
    connection.send(request()[-2:-1])
    await asyncio.sleep(0)
    connection.send(request()[-1:])
    assert await connection.answers(1) == [200]
    assert connection.transport.sent.endswith(BODY)


@run
async def test_what_must_wait_after_all_is_answered_by_a_thread():
    """With its whole body, and without being tried twice."""
    lane = Lane(must_wait=True)
    connection = Connection(lane)
    connection.send(request())
    assert await connection.answers(1) == [200]
    assert connection.transport.sent.endswith(BODY)
    assert lane.threads == ["MainThread", "request"]


@pytest.mark.parametrize(
    ("sent", "thread"),
    [
        (request(b"x" * SMALL), "MainThread"),
        (request(b"x" * (SMALL + 1)), "request"),
        (request(BODY, "Content-Encoding: gzip"), "request"),
        (request(BODY, "x-request-id: " + "i" * 101), "MainThread"),
    ],
    ids=["small", "large", "gzip", "unusual"],
)
def test_only_small_plain_requests_are_answered_on_the_event_loop(sent: bytes, thread: str):
    """Others would make a probe wait."""

    @run
    async def test() -> None:
        lane = Lane()
        connection = Connection(lane)
        connection.send(sent)
        assert await connection.answers(1) == [200]
        assert lane.threads == [thread]

    test()


@run
async def test_headers_sent_twice_are_joined_and_disguised_ones_left_out():
    """As every way here reads them."""
    lane = Lane()
    Connection(lane).send(request(BODY, "x-request-id: a", "X-Request-Id: b", "x_ms_client_request_id: spoof"))
    assert lane.environ["HTTP_X_REQUEST_ID"] == "a,b"
    assert "HTTP_X_MS_CLIENT_REQUEST_ID" not in lane.environ


@run
async def test_a_client_that_is_gone_gets_no_answer_and_disturbs_nobody():
    """What was admitted is computed to its end, and gives its place back."""
    connection, lane = busy_connection()
    await asyncio.sleep(0.01)
    connection.protocol.connection_lost(ConnectionResetError())
    lane.hold.set()
    await connection.answers(0)
    assert (connection.transport.sent, lane.in_flight, connection.state.connections) == (b"", 0, set())


@run
async def test_a_client_that_breaks_off_in_its_body_is_nobodys_to_wait_for():
    """The connection may be looked at once more before its end is told."""
    connection = Connection(Lane())
    connection.send(request()[:-1])
    connection.transport.close()
    connection.later(1)
    connection.protocol.connection_lost(ConnectionResetError())
    assert await connection.answers(0) == []


@run
async def test_a_client_that_has_said_all_may_still_read_its_answer():
    """As one does that shuts down its side behind its request; then the connection ends."""
    connection = Connection(Lane(quick=False))
    connection.send(request())
    assert connection.protocol.eof_received() is True
    assert await connection.answers(1) == [200]
    assert connection.transport.closed


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
def test_a_body_that_breaks_off_is_not_taken_for_a_whole_one(quick: bool, sent: bytes, rest: bytes | None):
    """It is told, and the connection ends."""

    @run
    async def test() -> None:
        connection = Connection(Lane(quick=quick))
        connection.send(sent)
        if rest is None:
            assert connection.protocol.eof_received() is True
        else:
            connection.send(rest)
        assert await connection.answers(1) == [400]
        assert connection.transport.sent.endswith(b"incomplete_body")
        assert connection.transport.closed

    test()


@run
async def test_an_idle_client_that_leaves_is_let_go():
    """Nothing is kept open for it."""
    connection = Connection(Lane())
    connection.send(request())
    assert not connection.protocol.eof_received()


@run
async def test_clients_that_would_rather_speak_http_2_are_answered_in_1_1():
    """As Java's, which offer it with every first request. Their body is no second request."""
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
    for lane in (Lane(), Lane(quick=False)):
        connection = Connection(lane)
        connection.send(request(BODY, *offer) + request(b"2"))
        assert await connection.answers(2) == [200, 200]
        assert connection.transport.sent.count(BODY) == 1
        assert connection.transport.sent.endswith(b"2")


@run
async def test_when_the_server_stops_idle_connections_end_and_others_are_answered_first():
    """Those whose body has not come whole included."""
    idle, reading = Connection(Lane()), Connection(Lane())
    idle.send(request())
    reading.send(request()[:-1])
    for connection in (idle, reading):
        connection.protocol.shutdown()
    assert (idle.transport.closed, reading.transport.closed) == (True, False)
    reading.send(request()[-1:])
    assert await reading.answers(1) == [200]
    assert reading.transport.closed


@run
async def test_a_client_that_does_not_read_is_not_written_to_for_ever():
    """Its next answers wait until it does."""
    connection = Connection(Lane())
    connection.protocol.pause_writing()
    connection.send(request(b"1"), request(b"2"))
    await asyncio.sleep(0.01)
    assert connection.transport.sent == b""
    connection.protocol.resume_writing()
    assert await connection.answers(2) == [200, 200]


@run
async def test_a_body_that_nobody_reads_does_not_disturb_the_next_request():
    """It is skipped where Flask answers without it."""
    connection = Connection(Lane())
    head, _, body = request(b"x" * 1000, line="POST /other HTTP/1.1").partition(b"\r\n\r\n")
    connection.send(head + b"\r\n\r\n")
    assert await connection.answers(1) == [404]
    connection.send(body, request())
    assert await connection.answers(2) == [404, 200]


@run
async def test_with_an_access_log_each_request_takes_the_way_that_writes_it():
    """The express lane writes none."""
    lane = Lane()
    log = logging.handlers.BufferingHandler(10)
    logging.getLogger("uvicorn.access").setLevel(logging.INFO)
    connection = Connection(lane, access_log=[log])
    connection.send(request())
    assert await connection.answers(1) == [200]
    assert [record.getMessage() for record in log.buffer] == ['10.0.0.2:4711 - "POST /score HTTP/1.1" 200']


@run
async def test_requests_by_either_way_count_for_gunicorns_max_requests():
    """So that a worker may be replaced after so many."""
    connection = Connection(Lane())
    connection.send(request(), request(line="GET /liveness HTTP/1.1"))
    await connection.answers(2)
    assert connection.state.total_requests == 2


def over_a_socket(lane: Lane, sent: bytes, *, says_all: bool) -> bytes:
    """What a client of a real server gets to read until its connection ends."""
    front = Front(flask, lane, Limits(max_bytes=100_000), PATIENCE)  # type: ignore[arg-type]
    config = Config(front, http=FrontProtocol, ws="none", lifespan="off", interface="asgi3", log_config=None)
    config.proxy_headers = False
    config.load()

    async def talk() -> bytes:
        loop, state = asyncio.get_running_loop(), ServerState()
        async with await loop.create_server(lambda: FrontProtocol(config, state, {}), "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(sent)
            if says_all:
                writer.write_eof()
            async with asyncio.timeout(PATIENCE):
                read = await reader.read()
            writer.close()
            return read

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(talk())


@pytest.mark.parametrize("quick", [True, False])
def test_a_real_connection_carries_many_requests_until_the_last(quick: bool):
    """In their order, and to the last byte of the last answer."""
    bodies = [b"%d" % number * 500 for number in range(100)]
    sent = b"".join(map(request, bodies)) + request(b"last", "Connection: close")
    read = over_a_socket(Lane(quick=quick), sent, says_all=False)
    assert [part.partition(b"\r\n\r\n")[2] for part in read.split(b"HTTP/1.1 ")[1:]] == [*bodies, b"last"]


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize(("sent", "status"), [(request(), 200), (request()[:-1], 400)], ids=["whole", "cut"])
def test_a_real_client_reads_its_answer_after_it_has_said_all(quick: bool, sent: bytes, status: int):
    """Half a connection is enough for that."""
    assert over_a_socket(Lane(quick=quick), sent, says_all=True).split(b" ")[1] == b"%d" % status
