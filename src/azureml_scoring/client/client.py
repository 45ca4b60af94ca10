"""The synchronous client: the asynchronous one, in an event loop of its own thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Self, TypedDict, TypeVar, Unpack, overload

from azureml_scoring.client.async_client import AsyncClient, Rows
from azureml_scoring.client.authorization import TokenCredential

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

CLOSED = "The client is closed, or was made before a fork; make a new one in this process."


class ClientOptions(TypedDict, total=False):
    """The options of ``AsyncClient``."""

    deployment: str | None
    timeout_s: float
    connect_timeout_s: float
    rows_per_request: int
    parallel: int
    attempts: int
    sleep: Callable[[float], Awaitable[None]]


class Client:
    """Scores rows on one server, from any thread. Arguments and errors are ``AsyncClient``'s; a
    closed client, and one that a fork has copied, raises RuntimeError."""

    def __init__(
        self,
        url: str,
        credential: str | TokenCredential | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        self._client = AsyncClient(url, credential, **options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=_run_loop, args=(self._loop, self._client), name="scoring-client", daemon=True
        )
        self._thread.start()
        # It must not keep the client alive, or wait: the loop's own thread may collect garbage.
        self._stop = weakref.finalize(self, self._loop.call_soon_threadsafe, self._loop.stop)
        self._stop.atexit = False
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End what other threads still score, and close the connections. May be called again."""
        with self._lock:
            self._stop()
        self._thread.join()

    @overload
    def score(
        self,
        rows: pd.DataFrame,
        method: str | None = None,
        params: Mapping[str, Any] | None = None,
        *,
        progress: bool = False,
    ) -> pd.Series | pd.DataFrame: ...
    @overload
    def score(
        self,
        rows: Rows,
        method: str | None = None,
        params: Mapping[str, Any] | None = None,
        *,
        progress: bool = False,
    ) -> list[Any]: ...
    def score(
        self,
        rows: Any,
        method: str | None = None,
        params: Mapping[str, Any] | None = None,
        *,
        progress: bool = False,
    ) -> Any:
        """As ``AsyncClient.score``."""
        return self._run(self._client.score(rows, method, params, progress=progress))

    def score_body(self, body: bytes, rows: int | None = None) -> list[Any]:
        """As ``AsyncClient.score_body``."""
        return self._run(self._client.score_body(body, rows))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        with self._lock:  # so that the loop is not stopped before it has the work
            if not (self._stop.alive and self._thread.is_alive()):
                work.close()
                raise RuntimeError(CLOSED)
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise RuntimeError(CLOSED) from None
        except BaseException:  # a Ctrl-C ends the work too
            future.cancel()
            raise


def _run_loop(loop: asyncio.AbstractEventLoop, client: AsyncClient) -> None:
    """Run the loop until it is stopped; then end what is left, and close the connections."""
    try:
        loop.run_forever()
        loop.run_until_complete(_end(client))
    finally:
        loop.close()


async def _end(client: AsyncClient) -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await client.aclose()
