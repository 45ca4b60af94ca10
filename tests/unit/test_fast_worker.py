import asyncio
import os
import signal
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from fast_worker import Server


def serving(happened: list[str], master: int | None = None, *, told_to_stop: bool = False) -> Server:
    worker: Any = SimpleNamespace(
        master=master or os.getppid(),
        told_to_stop=told_to_stop,
        drain_seconds=0.05,
        drain=lambda: happened.append("drain"),
    )
    return Server(uvicorn.Config(pytest.fail, log_config=None), worker)


async def until_it_stops(server: Server, counter: int = 1) -> None:
    async with asyncio.timeout(60):
        while not await server.on_tick(counter):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("number", "drains"), [(signal.SIGTERM, 1), (signal.SIGINT, 0), (signal.SIGQUIT, 0)])
def test_sigterm_drains_once_before_the_server_stops(number: int, drains: int):
    """However often it comes; Ctrl-C stops at once, and so does a master that was asked to be quick."""
    happened = list[str]()

    async def main() -> None:
        server = serving(happened)
        with server.capture_signals():
            for _ in range(3):
                signal.raise_signal(number)
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert server.should_exit == (not drains)
            await until_it_stops(server)

    asyncio.run(main())
    assert happened == ["drain"] * drains


def test_a_worker_ends_with_its_master():
    """As if it had been told to, so that its requests are answered."""
    happened = list[str]()
    asyncio.run(until_it_stops(serving(happened, master=1 << 30), counter=0))
    assert happened == ["drain"]


def test_a_signal_that_came_before_the_loop_was_there_is_not_lost():
    """Or its master would wait for it until it kills it."""
    happened = list[str]()
    asyncio.run(until_it_stops(serving(happened, told_to_stop=True), counter=0))
    assert happened == ["drain"]


def test_each_connection_is_looked_after_once_a_second():
    """uvicorn ticks ten times in one."""

    class Connection:
        looks = 0

        def look(self, now: float) -> None:
            self.looks += 1

    async def main() -> int:
        server, connection = serving([]), Connection()
        server.server_state.connections.add(connection)  # type: ignore[arg-type]
        for counter in range(20):
            await server.on_tick(counter)
        return connection.looks

    assert asyncio.run(main()) == 2
