import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from front_loop import CONTEXT, FrontLoop, InPool


@pytest.fixture
def loop() -> Iterator[FrontLoop]:
    loop = FrontLoop()
    yield loop
    loop.close()


class Arrival:
    """What granian gives to await: the thread that brings it calls back."""

    _asyncio_future_blocking = True

    def __init__(self, error: BaseException | None = None) -> None:
        self._error = error

    def __await__(self) -> Any:
        yield self
        return "brought"

    def add_done_callback(self, callback: Any, *, context: Any) -> None:
        self.callback = callback

    def result(self) -> None:
        if self._error:
            raise self._error


def elsewhere(function: Any) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def test_a_request_runs_on_the_threads_that_start_it_and_bring_what_it_awaits(loop: FrontLoop):
    """No hop to the loop's thread, which is not even running here."""
    arrival, seen = Arrival(), list[Any]()

    async def request() -> None:
        seen.append(threading.get_ident())
        seen.append(await arrival)
        seen.append(threading.get_ident())

    def start(coroutine: Any) -> None:
        loop.create_task(coroutine)

    elsewhere(lambda: loop.call_soon_threadsafe(start, request(), context=CONTEXT))
    assert len(seen) == 1
    arrival.callback(arrival)
    assert seen[1:] == ["brought", threading.get_ident()]
    assert seen[0] != threading.get_ident()


def test_what_fails_to_come_is_raised_where_it_is_awaited(loop: FrontLoop):
    """As a body that is cancelled when it is overdue."""
    arrival, seen = Arrival(asyncio.CancelledError()), list[str]()

    async def request() -> None:
        try:
            await arrival
        except asyncio.CancelledError:
            seen.append("cancelled")

    elsewhere(lambda: loop.create_task(request()))
    arrival.callback(arrival)
    assert seen == ["cancelled"]


@pytest.mark.parametrize("delay", [0.0, 0.05], ids=["done before it is awaited", "done after"])
def test_a_request_goes_on_when_the_pool_is_done(loop: FrontLoop, delay: float):
    """With the value, or with what was raised there."""
    done, seen = threading.Event(), list[Any]()

    async def request(pool: ThreadPoolExecutor) -> None:
        try:
            seen.append(await InPool(pool.submit(lambda: time.sleep(delay) or 7)))
            await InPool(pool.submit(lambda: 1 // 0))
        except ZeroDivisionError:
            seen.append("raised")
        done.set()

    with ThreadPoolExecutor(1) as pool:
        elsewhere(lambda: loop.create_task(request(pool)))
        assert done.wait(10)
    assert seen == [7, "raised"]


def test_asyncio_works_as_ever_on_the_loops_own_thread(loop: FrontLoop):
    """Its tasks, and calls from other threads that come without a context."""

    async def main() -> str:
        task = asyncio.create_task(asyncio.sleep(0, "slept"))
        called = asyncio.Event()
        elsewhere(lambda: loop.call_soon_threadsafe(called.set))
        await called.wait()
        return await task

    assert loop.run_until_complete(main()) == "slept"


@pytest.mark.parametrize(("number", "drains"), [(signal.SIGTERM, 1), (signal.SIGINT, 0)])
def test_sigterm_drains_once_before_the_server_is_told_to_stop(loop: FrontLoop, number: int, drains: int):
    """However often it comes; Ctrl-C stops at once."""
    happened = list[str]()
    loop.drain_on_sigterm(0.1, lambda: happened.append("drain"))

    async def main() -> None:
        stopped = asyncio.Event()

        def stop() -> None:
            happened.append("stop")
            stopped.set()

        loop.add_signal_handler(number, stop)
        for _ in range(3):
            signal.raise_signal(number)
            await asyncio.sleep(0)
        await stopped.wait()

    loop.run_until_complete(asyncio.wait_for(main(), 10))
    assert happened == ["drain"] * drains + ["stop"]
