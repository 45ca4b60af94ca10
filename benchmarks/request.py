"""Shows where the time of a small request to a quick model goes: ``make bench-request``.

It runs our worker's own protocol in this process, on a fake transport, from the bytes of the
request to those of the answer. So it includes neither the kernel nor the client.
"""

from __future__ import annotations

import asyncio
import cProfile
import functools
import pstats
import statistics
import tempfile
import time
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from in_process import ROW, application, demo

from azureml_scoring.application import Application
from azureml_scoring.http.asgi import Front
from azureml_scoring.http.connections import Connections
from azureml_scoring.http.endpoint import ScoringEndpoint
from azureml_scoring.http.front_protocol import FrontProtocol

TURNS, IN_A_ROW = 30, 300
TOGETHER = (1, 4, 8)
"""Requests in a turn of the loop, each on a connection of its own."""

SHOWN_FUNCTIONS = 20
BODY = orjson.dumps({"data": [ROW]})
REQUEST = (
    b"POST /score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n" % len(BODY)
) + BODY


class Transport(asyncio.Transport):
    """A transport that keeps only the last bytes written."""

    def __init__(self) -> None:
        super().__init__({"sockname": ("127.0.0.1", 5001), "peername": ("127.0.0.1", 4711)})
        self.last = b""

    def write(self, data: Any) -> None:
        self.last = data

    def is_closing(self) -> bool:
        return False


class Loop:
    """A loop whose turns the benchmark ends itself, by calling what is scheduled."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []

    def time(self) -> float:
        return time.monotonic()

    def call_soon(self, callback: Callable[..., None], *args: object) -> None:
        self.soon.append(functools.partial(callback, *args))


def asking(served: Application, together: int) -> Callable[[], bytes]:
    """Return a function that sends ``together`` requests in one turn, and returns an answer."""
    front = Front(lambda *_: [], ScoringEndpoint(served.service, served.reader, {}))
    options: dict[str, Any] = {
        "lifespan": "off",
        "ws": "none",
        "access_log": False,
        "proxy_headers": False,
    }
    config = uvicorn.Config(
        front, http=FrontProtocol, interface="asgi3", log_config=None, **options
    )
    loop, transport = Loop(), Transport()
    connections = [FrontProtocol(config, Connections(), {}, loop) for _ in range(together)]
    for connection in connections:
        connection.connection_made(transport)

    def ask() -> bytes:
        for connection in connections:
            connection.data_received(REQUEST)
        for callback in loop.soon:
            callback()
        loop.soon.clear()
        return transport.last

    assert ask().startswith(b"HTTP/1.1 200 OK")
    return ask


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = demo(Path(scratch))
        shipped, silent = (application(folder, scoring_log_sample=share) for share in (1.0, 0.0))
    cases = {(f"{count} in a turn", count): asking(shipped, count) for count in TOGETHER}
    cases["1, without log line", 1] = asking(silent, 1)
    times = {case: list[float]() for case in cases}
    for _ in range(TURNS):
        for case, ask in cases.items():
            turns = IN_A_ROW // case[1]
            times[case].append(timeit.timeit(ask, number=turns) / (turns * case[1]) * 1e6)
    for (name, _), taken in times.items():
        print(f"{name}: {statistics.median(taken):.1f} µs a request")
    profile = cProfile.Profile()
    profile.runcall(lambda: [cases["1 in a turn", 1]() for _ in range(TURNS * IN_A_ROW)])
    print(
        "\nOne request alone: the functions with the most time of their own, as a share of the "
        "time of all under cProfile:\n"
    )
    stats = pstats.Stats(profile)
    every = stats.stats.items()  # type: ignore[attr-defined]
    total = sum(own for _, (_, _, own, _, _) in every)
    for (file, _, name), (_, _, own, _, _) in sorted(every, key=lambda item: -item[1][2])[
        :SHOWN_FUNCTIONS
    ]:
        print(f"{own / total:6.1%}  {Path(file).name + ' ' if file != '~' else ''}{name}")


if __name__ == "__main__":
    asyncio.set_event_loop(asyncio.new_event_loop())
    main()
