"""The synchronous client: the asynchronous one, in an event loop of its own thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Self, TypedDict, TypeVar, Unpack, overload

from azureml_scoring.client.async_client import AsyncClient, Rows
from azureml_scoring.client.authorization import TokenCredential

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")


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
    """Scores rows on one server, from any thread. Arguments and errors are ``AsyncClient``'s."""

    def __init__(
        self,
        url: str,
        credential: str | TokenCredential | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        self._client = AsyncClient(url, credential, **options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="scoring-client", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. May be called again."""
        if self._loop.is_closed():
            return
        self._run(self._client.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

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
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:  # a Ctrl-C ends the work too
            future.cancel()
            raise
