"""Measures latency without coordinated omission: ``open_loop.py PORT PATH BODY_FILE RATE SECONDS
CONNECTIONS`` prints JSON.

Requests are due at a constant rate. The latency of each counts from when it was due, not from when
it was sent, so a server that stalls is charged for all requests that were due meanwhile. Debian has
no wrk2, and hey, ab, h2load and wrk all wait for the server. This is a separate process, so that
the harness does not disturb it. One thread on raw sockets makes some 10,000 requests a second on
one processor; ``generator_cpu`` (its share of a processor) shows when it was the bottleneck itself.
It keeps time to the microsecond; the generator of ``mlops load`` does so to the millisecond, which
is enough for objectives of hundreds, but not for a P50 of a fraction of one.
"""

from __future__ import annotations

import gc
import json
import select
import socket
import sys
import time
from collections import deque
from pathlib import Path

GRACE_S = 10.0
"""Time for outstanding answers after the last request was due."""


class Connection:
    """A connection with at most one request, which should have been sent at ``due``.

    It is opened only for the first request, because a sync worker of gunicorn that has accepted a
    connection waits for its first bytes.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._received = b""
        self._socket: socket.socket | None = None

    def send(self, request: bytes, due: float) -> socket.socket:
        self.due = due
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)
        return self._socket

    def receive(self) -> bool:
        """Read what has arrived. Returns True if the answer is complete.

        Raises SystemExit on anything but a 200.
        """
        assert self._socket is not None
        data = self._socket.recv(65536)
        if not data:
            sys.exit("a connection was closed before its answer")
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return False
        if head.split(b" ", 2)[1] != b"200":
            sys.exit(f"answered {head.split(b' ', 2)[1].decode()}")
        headers = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
        if b"content-length" not in headers:
            sys.exit("an answer has no Content-Length")
        if len(body) < int(headers[b"content-length"]):
            return False
        self._received = b""
        if headers.get(b"connection", b"").strip() == b"close":  # sync workers of gunicorn
            self._socket.close()
            self._socket = None
        return True


def measure(
    port: int, request: bytes, rate: float, seconds: float, connections: int
) -> dict[str, float]:
    idle = [Connection(port) for _ in range(connections)]
    busy: dict[socket.socket, Connection] = {}
    waiting: deque[float] = deque()
    latencies: list[float] = []
    total = int(rate * seconds)
    begin, used = time.perf_counter() + 0.01, time.process_time()
    arrived = 0
    while len(latencies) < total:
        now = time.perf_counter()
        while arrived < total and begin + arrived / rate <= now:
            waiting.append(begin + arrived / rate)
            arrived += 1
        while waiting and idle:
            connection = idle.pop()
            busy[connection.send(request, waiting.popleft())] = connection
        if now > begin + seconds + GRACE_S:
            sys.exit(f"it could not hold {rate:.0f} requests/s")
        pause = max(0.0, begin + arrived / rate - time.perf_counter()) if arrived < total else 0.1
        # select waits to the microsecond; epoll knows only milliseconds.
        for ready in select.select(list(busy), [], [], pause)[0]:
            if busy[ready].receive():
                connection = busy.pop(ready)
                latencies.append(time.perf_counter() - connection.due)
                idle.append(connection)
    elapsed = time.perf_counter() - begin
    latencies.sort()
    return {
        "requests_per_second": total / elapsed,
        "p50_ms": 1000 * latencies[total // 2],
        "p99_ms": 1000 * latencies[total * 99 // 100],
        "p999_ms": 1000 * latencies[total * 999 // 1000],
        "generator_cpu": (time.process_time() - used) / elapsed,
    }


def main() -> None:
    port, path, file, rate, seconds, connections = sys.argv[1:]
    body = Path(file).read_bytes()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    gc.disable()
    print(json.dumps(measure(int(port), request, float(rate), float(seconds), int(connections))))


if __name__ == "__main__":
    main()
