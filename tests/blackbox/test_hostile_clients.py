"""Clients that send malformed or incomplete requests, or read no answer, do not disturb other
clients."""

from __future__ import annotations

import contextlib
import json
import random
import re
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import support
from blackbox.server import ONE_WORKER, PATIENCE, Server, serving

BODY = json.dumps({"data": [support.ROW]}).encode()
FILES = 64
"""That each process of the server may open: far fewer than there are clients here."""


def score(*headers: bytes, line: bytes = b"POST /score HTTP/1.1", body: bytes = BODY) -> bytes:
    lines = [
        line,
        b"Host: h",
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        *headers,
    ]
    return b"\r\n".join([*lines, b"", body])


def answers(port: int, sent: bytes) -> list[tuple[int, bytes]]:
    """Return statuses and bodies of all answers to a client that sends only ``sent``."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        with contextlib.suppress(OSError):  # it may have been refused before it had said all
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65_536):
                received += part
    return list(_split(received))


def _split(received: bytes) -> Iterator[tuple[int, bytes]]:
    while received:
        head, end, rest = received.partition(b"\r\n\r\n")
        assert end, "no answer breaks off in its head"
        status = int(head.split(b" ", 2)[1])
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        size = int(length[1]) if length else 0
        if status != 100:
            yield status, rest[:size]
        received = rest[size:]


SHAPES = {
    "semicolons": b"Content-Type: application/json" + b";" * 64_000,
    "an open quote": b'Content-Type: application/json;"' + b";" * 64_000,
    "backslashes": b'Content-Type: application/json;x="' + b'\\";' * 21_000,
    "continuations": b"Content-Type: application/json;"
    + b"".join(b"charset*%d=a;" % i for i in range(4400)),
    "another header": b"X: " + b"x" * 64_000,
    "a URL": b"",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_header_of_64_kb_holds_nobody_up(demo: Server, shape: str):
    """Twenty such heads at once are refused before they are parsed, and a probe is answered
    meanwhile."""
    header = SHAPES[shape]
    sent = b"POST /score HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n" + header + b"\r\n\r\n[]"
    if not header:
        sent = score(line=b"POST /score?" + b"x" * 64_000 + b" HTTP/1.1")
    connections = [socket.create_connection(("127.0.0.1", demo.port), PATIENCE) for _ in range(20)]
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.sendall(sent)
    statuses = set()
    for connection in connections:
        with connection, contextlib.suppress(ConnectionResetError):
            statuses.add(connection.recv(65_536)[9:12])
    assert statuses <= {b"431", b"414"}
    assert demo.fresh("GET", "/liveness").status_code == 200


NAMES = [
    b"Content-Type", b"Content-Length", b"Content-Encoding", b"Transfer-Encoding", b"Connection",
    b"Upgrade", b"Host", b"Expect", b"TE", b"Trailer", b"x-request-id", b"traceparent",
    b"Cache-Control", b"TraceId", b"Content_Length", b"",
]  # fmt: skip
VALUES = [
    b"application/json", b"application/json; charset*0=;charset=;",
    b"application/json;c*" + b"9" * 5000 + b"=utf-8", b"application/json; charset=\xff",
    b'application/json;x="', b"chunked", b"gzip, chunked", b"identity", b"gzip",
    b"0" * 5000 + b"64", b"9" * 5000, b"18446744073709551616", b"-1", b"+5", b"1e3", b"6_4",
    b"\xb2", b"", b" ", b"keep-alive", b"close", b"Upgrade", b"upgrade, close", b"h2c",
    b"websocket", b"100-continue", b"a" * 101, b"x" * 9000, b"\x00", b"\x0b", b"\xe9\xff",
    b"no-store", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01",
]  # fmt: skip
METHODS = [
    b"POST",
    b"GET",
    b"HEAD",
    b"PUT",
    b"OPTIONS",
    b"CONNECT",
    b"PRI",
    b"DESCRIBE",
    b"post",
    b"",
]
PATHS = [
    b"/score", b"//score", b"/score/", b"/liveness", b"/metrics", b"/", b"*",
    b"/swagger.json?version=\xff", b"/%ff", b"http://h/score", b"http://h:99999999/score", b"h:1",
    b"/score?" + b"9" * 9000, b"",
]  # fmt: skip
VERSIONS = [
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"HTTP/0.9",
    b"HTTP/2.0",
    b"HTTP/1.10",
    b"RTSP/1.0",
    b"http/1.1",
    b"",
]


def mutated(rng: random.Random) -> bytes:
    """Draw a head that is valid except for some parts, or nearly valid, with a body that fits or
    does not."""

    def one_of(usual: bytes, all_of: list[bytes]) -> bytes:
        return usual if rng.random() < 0.7 else rng.choice(all_of)

    line = b" ".join(
        [one_of(b"POST", METHODS), one_of(b"/score", PATHS), one_of(b"HTTP/1.1", VERSIONS)]
    )
    headers = [
        (b"Host", b"h"),
        (b"Content-Type", b"application/json"),
        (b"Content-Length", b"%d" % len(BODY)),
    ]
    headers = [(name, one_of(value, VALUES)) for name, value in headers if rng.random() < 0.95]
    headers += [(rng.choice(NAMES), rng.choice(VALUES)) for _ in range(rng.randrange(4))]
    body = one_of(
        BODY, [b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n", b"", b"0\r\n\r\n", b"zz\r\n"]
    )
    sent = bytearray(b"\r\n".join([line, *(b": ".join(header) for header in headers), b"", body]))
    while rng.random() < 0.2:
        sent[rng.randrange(len(sent))] = rng.randrange(256)
    return bytes(sent)


def check_heads(port: int, heads: int, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(heads):
        sent = mutated(rng)
        for status, body in answers(port, sent):
            assert status < 500 or (status == 501 and Server.kind != "ours"), (status, body, sent)
            if status >= 400 and Server.kind == "ours" and not sent.startswith(b"HEAD"):
                assert isinstance(json.loads(body), dict), (status, body, sent)


def test_no_head_is_a_failure_of_ours(demo: Server):
    """Any line and headers get 4xx in JSON or a normal answer, without a traceback or a hang."""
    before = len(demo.log)
    check_heads(demo.port, 1500, seed=16)
    assert demo.score({"data": [support.ROW]}).status_code == 200
    assert "Traceback" not in demo.log[before:]


@pytest.fixture(scope="module")
def narrow(scripted_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one worker that may open few files."""
    folder = tmp_path_factory.mktemp("narrow")
    with serving(scripted_model, folder, up=False, **ONE_WORKER) as server:
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
        server.wait_until_up()
        yield server


HELD = {
    "idle": b"",
    "half a head": b"POST /score HTTP/1.1\r\nHo",
    "half a body": score()[:-1],
    "half a compressed body": score(b"Content-Encoding: gzip")[:-1],
    "reads nothing": b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n" * 20,
}


@pytest.mark.any_worker
@pytest.mark.parametrize("kind", HELD)
def test_clients_that_hold_connections_do_not_lock_others_out(narrow: Server, kind: str):
    """With twice as many idle connections as the worker may open files, each probe and request is
    answered."""
    with contextlib.ExitStack() as stack:
        for number in range(2 * FILES):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            connection.connect(("127.0.0.1", narrow.port))
            with contextlib.suppress(ConnectionError):
                connection.sendall(HELD[kind])
            if number % 16 == 0:
                assert narrow.fresh("GET", "/liveness").status_code == 200
        assert narrow.fresh("POST", "/score", [[0]]).status_code == 200


@pytest.mark.any_worker
def test_a_worker_that_takes_fewer_connections_says_so(narrow: Server):
    """The log says how to raise the limit."""
    (line,) = (line for line in narrow.lines() if "connections at once" in line["message"])
    assert re.search(r"takes \d\d connections at once.*ulimit -n", line["message"])
