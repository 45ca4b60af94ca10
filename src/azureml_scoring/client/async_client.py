"""The asynchronous client: splits rows into requests, and puts the answers together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, overload

import httpx

from azureml_scoring.client import json_bytes
from azureml_scoring.client.address import mounts, scoring_url
from azureml_scoring.client.authorization import Authorization, TokenCredential
from azureml_scoring.client.errors import ScoreError, TooLarge
from azureml_scoring.client.exchange import Exchange
from azureml_scoring.client.headers import is_header_value, request_headers
from azureml_scoring.client.progress import progress_of
from azureml_scoring.client.results import like
from azureml_scoring.client.rows import count_of, table_of

if TYPE_CHECKING:
    import pandas as pd

TIMEOUT_S = 190.0
"""A managed endpoint's own limit is 180 s."""

ROWS_PER_REQUEST = 100
"""The service's own limit, SCORING_MAX_BATCH_SIZE, by default."""

Rows = Sequence[Sequence[Any]] | Sequence[Mapping[str, Any]]


class AsyncClient:
    """Scores rows on one server: the service, or a managed endpoint. Used in one event loop.

    credential: a key, or a credential of azure-identity. deployment: to be asked whatever the
    traffic split. timeout_s: for each request with all its tries; connect_timeout_s: for a
    connection. rows_per_request: the most rows a request; it is halved when the server says that a
    request is too large. parallel: the most requests at a time. attempts: the most tries of a
    request. Raises ValueError for an address, a key or a name that can't be right.
    """

    def __init__(
        self,
        url: str,
        credential: str | TokenCredential | None = None,
        *,
        deployment: str | None = None,
        timeout_s: float = TIMEOUT_S,
        connect_timeout_s: float = 10.0,
        rows_per_request: int = ROWS_PER_REQUEST,
        parallel: int = 4,
        attempts: int = 5,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if rows_per_request < 1 or parallel < 1 or attempts < 1:
            raise ValueError("rows_per_request, parallel and attempts are 1 or more.")
        if deployment is not None and not is_header_value(deployment):
            raise ValueError(
                "deployment has characters no deployment's name has; write it as in its YAML."
            )
        address = scoring_url(url, secret=credential is not None)
        authorization = Authorization(credential)
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(timeout_s, connect=connect_timeout_s),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
            mounts=mounts(address),
        )
        headers = request_headers(None, deployment) | {"Accept-Encoding": "gzip"}
        self._exchange = Exchange(
            self._http, address, headers, authorization, timeout_s, attempts, sleep
        )
        self._rows_per_request = rows_per_request
        self._parallel = parallel

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._http.aclose()

    @overload
    async def score(
        self,
        rows: pd.DataFrame,
        method: str | None = None,
        params: Mapping[str, Any] | None = None,
        *,
        progress: bool = False,
    ) -> pd.Series | pd.DataFrame: ...
    @overload
    async def score(
        self,
        rows: Rows,
        method: str | None = None,
        params: Mapping[str, Any] | None = None,
        *,
        progress: bool = False,
    ) -> list[Any]: ...
    async def score(
        self,
        rows: Any,
        method: str | None = None,
        params: Mapping[str, Any] | None = None,
        *,
        progress: bool = False,
    ) -> Any:
        """Return one prediction for each row, in order: a list for a list or an array; for a
        DataFrame a Series, or a DataFrame if the model answers several values a row, with the same
        index.

        All or nothing. Raises ScoreError, of the first part that failed in the order of the rows,
        whose ``row`` counts in ``rows`` from 0; and ValueError for values that JSON does not have.
        """
        options = {"method": method} if method else {}
        extra = {"params": dict(params)} if params else {}
        total, start = count_of(rows), 0
        predictions: list[Any] = []
        pending: deque[asyncio.Task[list[Any]]] = deque()
        with progress_of(total, progress) as done:
            try:
                while start < total or pending:
                    while start < total and len(pending) < self._parallel:
                        stop = min(start + self._rows_per_request, total)
                        part = self._part(rows, start, stop, options | extra)
                        pending.append(asyncio.create_task(part))
                        start = stop
                    answered = await pending[0]
                    pending.popleft()
                    predictions += answered
                    done(len(answered))
            finally:
                for task in pending:
                    task.cancel()
                await asyncio.gather(*pending, return_exceptions=True)
        return like(rows, predictions, method)

    async def _part(
        self, rows: Any, start: int, stop: int, options: Mapping[str, Any]
    ) -> list[Any]:
        """Score some of the rows, in two halves if the server finds them too many."""
        body = json_bytes.dumps({"input_data": table_of(rows, start, stop), **options})
        try:
            return await self._exchange.predictions(body, stop - start)
        except TooLarge as error:
            if stop - start == 1:
                raise error.after(start) from None
        except ScoreError as error:
            raise error.after(start) from error.__cause__
        half = (stop - start + 1) // 2
        middle = start + half
        first = await self._part(rows, start, middle, options)
        second = await self._part(rows, middle, stop, options)
        # Not before: a row that is too large alone says nothing of the others.
        self._rows_per_request = min(self._rows_per_request, half)
        return first + second

    async def score_body(self, body: bytes, rows: int | None = None) -> list[Any]:
        """Send a JSON body as it is, and return its predictions. Raises ScoreError.

        rows: how many it holds, or None if only the server knows.
        """
        return await self._exchange.predictions(body, rows)
