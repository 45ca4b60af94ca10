"""One request, tried until there is an answer or no time is left.

The server is not trusted: its answer has a limit and a deadline.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import httpx

from azureml_scoring.client import json_bytes, retry
from azureml_scoring.client.answer import HttpAnswer, UnreadableAnswer, read
from azureml_scoring.client.authorization import Authorization
from azureml_scoring.client.errors import NoAnswer, ScoreError, UnusableAnswer
from azureml_scoring.client.predictions import error_of, predictions_of
from azureml_scoring.client.retry import Again

UNPACKED_FOR = (400, 415)
"""What servers answer that do not take gzip."""


class Exchange:
    """Sends bodies to one URL.

    headers: of every request. timeout_s: for a request with all its tries and pauses. attempts: the
    most tries.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        headers: Mapping[str, str],
        authorization: Authorization,
        timeout_s: float,
        attempts: int,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._http = http
        self._url = url
        self._place = str(httpx.URL(url).copy_with(query=None))  # a query may hold a key
        self._headers = headers
        self._authorization = authorization
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._sleep = sleep
        self._takes_gzip: bool | None = None  # known once a packed body was answered

    async def predictions(self, body: bytes, rows: int | None) -> list[Any]:
        """Return one prediction for each row. Raises ScoreError."""
        answer = await self._tries(body, time.monotonic() + self._timeout_s)
        if answer.status != 200:
            raise error_of(self._place, answer)
        return predictions_of(self._place, answer, rows)

    async def _tries(self, body: bytes, until: float) -> HttpAnswer:
        """Try until there is an answer that stays. Raises ScoreError."""
        tries = retry.Tries(self._attempts)
        while True:
            failure: ScoreError | None = None
            headers: Mapping[str, str] = {}
            try:
                answer = await self._try(body, until)
                headers = answer.headers
                again = retry.after_status(answer.status, answer.document, headers)
            except httpx.RequestError as error:
                again, failure = retry.after_failure(error), self._no_answer(error)
                cause: Exception = error
            except TimeoutError as error:
                again, failure, cause = Again.NEVER, self._too_late(), error
            except UnreadableAnswer as error:
                raise UnusableAnswer(
                    f"{self._place} answered {error}; is it a scoring URL?"
                ) from error
            pause = tries.pause_s(again, headers)
            if pause is None or pause > until - time.monotonic():
                break
            await self._sleep(pause)
        if failure is not None:
            raise failure from cause
        return answer

    async def _try(self, body: bytes, until: float) -> HttpAnswer:
        """Return an answer; a refused gzip is sent again unpacked, a refused token once renewed.

        Raises httpx.RequestError, TimeoutError and UnreadableAnswer, and what the credential
        raises.
        """
        # httpx's own timeout starts anew with each piece that is read.
        async with asyncio.timeout(max(0.0, until - time.monotonic())):
            if self._takes_gzip is False or len(body) < json_bytes.GZIP_FROM_BYTES:
                return await self._authorized(body, {}, until)
            packed = json_bytes.pack(body)
            answer = await self._authorized(packed, {"Content-Encoding": "gzip"}, until)
            if self._takes_gzip is None and answer.status in UNPACKED_FOR:
                answer = await self._authorized(body, {}, until)
                self._takes_gzip = None if answer.status in UNPACKED_FOR else False
            elif answer.status == 200:
                self._takes_gzip = True
            return answer

    async def _authorized(
        self, content: bytes, headers: Mapping[str, str], until: float
    ) -> HttpAnswer:
        authorization = await self._authorization.headers()
        answer = await self._post(content, {**headers, **authorization}, until)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            fresh = await self._authorization.renewed(authorization)
            if fresh != authorization:
                answer = await self._post(content, {**headers, **fresh}, until)
        return answer

    async def _post(self, content: bytes, headers: Mapping[str, str], until: float) -> HttpAnswer:
        left_ms = max(1, int(1000 * (until - time.monotonic())))
        headers = {**self._headers, **headers, "x-request-timeout-ms": str(left_ms)}
        async with self._http.stream(
            "POST", self._url, content=content, headers=headers
        ) as response:
            return await read(response)

    def _too_late(self) -> NoAnswer:
        return NoAnswer(
            f"{self._place} has not answered within {self._timeout_s:g} s; send fewer rows at once."
        )

    def _no_answer(self, error: httpx.RequestError) -> NoAnswer:
        if isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout | httpx.PoolTimeout):
            return self._too_late()
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return NoAnswer(
                f"The certificate of {self._place} is not trusted; if you trust its authority, "
                "name the authority's file in SSL_CERT_FILE."
            )
        reason = str(error) or type(error).__name__
        return NoAnswer(
            f"{self._place} can't be reached ({reason}); check the address and that the server "
            "runs."
        )
