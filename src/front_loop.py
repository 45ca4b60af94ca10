"""granian's event loop: each request is answered on the thread that brings what it waits for.

granian calls a request's coroutine from a thread of its own, over asyncio to the loop's thread and back, twice: once to
start it and once with its body. This loop lets it run right there, which makes two to three times as many answers of a
model that takes microseconds (docs/adr/0007). Timers and signals are asyncio's, on the main thread.
"""

from __future__ import annotations

import asyncio
import contextvars
import signal
import threading
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from typing import Any

CONTEXT = contextvars.Context()


class FrontLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__()
        self._home = threading.get_ident()
        self._drain: Callable[[], None] | None = None
        self._drain_seconds = 0.0
        self._told_to_stop = False

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:  # type: ignore[override]
        """granian's callbacks come with a context; those without are asyncio's own hops to the main thread."""
        if context is None or threading.get_ident() == self._home:
            return super().call_soon_threadsafe(callback, *args, context=context)
        return callback(*args)

    def create_task(self, coro: Any, **options: Any) -> Any:
        if threading.get_ident() == self._home:
            return super().create_task(coro, **options)
        request = _Request(coro)
        request.resume()
        return request

    def drain_on_sigterm(self, seconds: float, drain: Callable[[], None]) -> None:
        """See ``server.Worker``."""
        self._drain_seconds, self._drain = seconds, drain

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        """granian's own, which stops the worker, is called after the drain."""
        super().add_signal_handler(sig, self._drain_then, sig, callback, *args)

    def _drain_then(self, sig: int, callback: Callable[..., Any], *args: Any) -> None:
        if self._told_to_stop:
            return
        self._told_to_stop = True
        if sig == signal.SIGTERM and self._drain is not None:
            self._drain()
            self.call_later(self._drain_seconds, callback, *args)
        else:
            callback(*args)


class _Request:
    """A request's coroutine, driven as ``asyncio.Task`` does it, by whichever thread calls back."""

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._coroutine = coroutine

    def resume(self, future: Any = None) -> None:
        try:
            try:
                if future is not None:
                    future.result()
            except BaseException as error:
                waits_for = self._coroutine.throw(error)
            else:
                waits_for = self._coroutine.send(None)
        except StopIteration:
            return
        waits_for._asyncio_future_blocking = False
        waits_for.add_done_callback(self.resume, context=CONTEXT)

    def cancel(self) -> bool:
        """granian may ask for it when a client is gone; what was admitted is computed to its end."""
        return False


class InPool:
    """Awaits the future of a thread pool; the coroutine goes on on that thread."""

    _asyncio_future_blocking = False

    def __init__(self, future: Future[Any]) -> None:
        self._future = future

    def __await__(self) -> Generator[InPool, None, Any]:
        yield self
        return self._future.result()

    def add_done_callback(self, callback: Callable[[InPool], None], *, context: Any) -> None:
        self._future.add_done_callback(lambda _: callback(self))

    def result(self) -> None:
        """What it raises is raised where it is awaited."""
